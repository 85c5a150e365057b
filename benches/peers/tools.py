"""The tools that are compared: how each is installed, called, and asked what arrived."""

import csv
import json
import os
import sqlite3
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MADE = ROOT / "target" / "peers"
PROGRAM = ROOT / "target" / "release" / "malomo-mirror"
STREAMS = ("customers", "events")


def environment_of(name):
    """The folder with the programs of a virtual environment, made and filled where it isn't yet."""
    wanted = (HERE / f"requirements-{name}.txt").read_text()
    folder, filled = MADE / name, MADE / name / "filled-with"
    if not filled.exists() or filled.read_text() != wanted:
        print(f"installing {' '.join(wanted.split())}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / f"requirements-{name}.txt"], check=True)
        filled.write_text(wanted)
    return folder / "bin"


class MalomoMirror:
    name = "malomo-mirror"
    parallel = True

    def pipeline(self, url, at_once, folder):
        settings = {
            "api.base_url": url,
            "api.concurrency": at_once,
            "mirror.path": folder / "mirror.db",
            "export.dir": folder / "exports",
        }
        return [[PROGRAM, *(f"--set={key}={value}" for key, value in settings.items()), "sync", "--full", "--json"]]

    def environment(self, at_once):
        return {"MALOMO_API_KEY": "sk_peer"}

    def counts(self, folder):
        with sqlite3.connect(folder / "mirror.db") as mirror:
            return [mirror.execute(f"SELECT count(*), count(DISTINCT id) FROM {name}").fetchone() for name in STREAMS]


class Dlt:
    parallel = True

    def __init__(self, destination, shown):
        self.name = f"dlt → {shown}"
        self.destination = destination
        self.python = environment_of("dlt") / "python"

    def pipeline(self, url, at_once, folder):
        return [[self.python, HERE / "dlt_pipeline.py", "load", url, self.destination, folder]]

    def environment(self, at_once):
        # Threads of the extractor, and items that may wait for them: enough that none is ever idle. All else as it
        # comes: for so few rows more processes and smaller files cost more than they bring.
        return {
            "EXTRACT__WORKERS": str(at_once),
            "EXTRACT__MAX_PARALLEL_ITEMS": str(4 * at_once),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }

    def counts(self, folder):
        command = [self.python, HERE / "dlt_pipeline.py", "count", self.destination, folder]
        found = subprocess.run(command, check=True, capture_output=True, env={**os.environ, **self.environment(1)})
        return json.loads(found.stdout.splitlines()[-1])


class Singer:
    name = "Singer SDK tap → target-csv"
    # The SDK asks for one page after the other.
    parallel = False

    def __init__(self):
        self.tap = environment_of("tap") / "python"
        self.target = environment_of("target") / "target-csv"

    def pipeline(self, url, at_once, folder):
        (folder / "tap.json").write_text(json.dumps({"api_url": url, "auth_token": "sk_peer"}))
        (folder / "target.json").write_text(json.dumps({"output_path": str(folder / "files")}))
        (folder / "files").mkdir()
        return [
            [self.tap, HERE / "tap_malomo.py", "--config", folder / "tap.json"],
            [self.target, "--config", folder / "target.json"],
        ]

    def environment(self, at_once):
        return {}

    def counts(self, folder):
        return [self._count(folder / "files" / f"{stream}.csv") for stream in STREAMS]

    @staticmethod
    def _count(file):
        with open(file, newline="") as rows:
            ids = [row["id"] for row in csv.DictReader(rows)]
        return [len(ids), len(set(ids))]


def all_tools():
    return [MalomoMirror(), Dlt("duckdb", "DuckDB"), Dlt("filesystem", "JSONL files"), Singer()]
