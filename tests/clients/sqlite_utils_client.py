"""sqlite-utils takes the dictionary as JSON: it makes the tables of the exports from it, and upserts the NDJSON files."""

import gzip
import json
import os
import subprocess

import client
import expected
import sqlite_utils
from importlib.metadata import version


def load(printed, stages, scratch):
    database = sqlite_utils.Database(os.path.join(scratch, "malomo.db"))
    types = {"integer": int, "real": float}
    for exports in json.loads(printed)["exports"]:
        columns = {column["name"]: types.get(column["type"], str) for column in exports["columns"]}
        key = [column["name"] for column in exports["columns"] if column["key"]]
        database.table(exports["stream"] + "_changes").create(columns, pk=key[0])
    for stage in stages:
        for line in open(os.path.join(stage, "manifest.ndjson"), newline="\n").read().split("\n")[:-1]:
            entry = json.loads(line)
            if entry["format"] == "ndjson":
                rows = [json.loads(row) for row in text(os.path.join(stage, entry["path"])).split("\n") if row]
                database.table(entry["stream"] + "_changes").insert_all(rows, ignore=True)
    found = {}
    for stream, columns in expected.STREAMS.items():
        names = ", ".join([*columns, "_seq", "_observed_at"])
        query = f"SELECT {names}, max(_seq) FROM {stream}_changes GROUP BY id HAVING _op NOT IN ('delete', 'erase')"
        found[stream] = [row[:-1] for row in database.execute(query).fetchall()]
    return found


def text(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout.decode()
    opened = gzip.open(path) if path.endswith(".gz") else open(path, "rb")
    with opened as file:
        return file.read().decode()


client.run("json", f"sqlite-utils {version('sqlite-utils')}", load, json_as_text=False)
