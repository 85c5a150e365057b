"""Makes a world to load: a mirror and its exports after five increments, from a sandbox that changes meanwhile.

    world.py PROGRAM FOLDER [--awkward] [--parquet]
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

CUSTOMERS = 150

# What readers like to take for something else. The API takes them as they are.
ODD_CUSTOMERS = [
    {"first-name": "NA", "last-name": "NULL", "phone-number": "00491700000001", "email": "na@example.com"},
    {"first-name": "", "last-name": "null", "phone-number": "007", "email": "empty@example.com"},
    {"first-name": "nan", "last-name": "\\N", "phone-number": "+1e5", "email": "nan@example.com"},
    {"first-name": "a\n\\.\nb", "last-name": '"', "phone-number": "0x10", "email": "dot@example.com"},
    {"first-name": "a\r\nb,\"c\"\r\n1,insert,x,y", "last-name": "\u2028", "phone-number": "1_000", "email": "crlf@example.com"},
    {"first-name": "None", "last-name": "true", "phone-number": "2024-01-01", "email": "none@example.com"},
    {"first-name": "👩‍🚀", "last-name": " ", "phone-number": "-0", "email": "emoji@example.com"},
]


def main():
    program, folder, awkward = sys.argv[1], Path(sys.argv[2]), "--awkward" in sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    sandbox = subprocess.Popen(
        [program, "sandbox", "--listen", "127.0.0.1:0", "--customers", str(CUSTOMERS), "--churn", "15",
         "--time-factor", "20000", *(["--awkward"] if awkward else [])],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = re.search(r"http://\S+", sandbox.stdout.readline()).group()
        formats = "csv,ndjson,parquet" if "--parquet" in sys.argv[3:] else "csv,ndjson"
        world = World(program, folder, url, formats)
        world.run("sync", "--full")
        for number in range(5):
            world.odd_changes(number)
            time.sleep(1)
            world.run("sync", "--full")
        world.run("export", "verify")
    finally:
        sandbox.terminate()
        sandbox.wait()


class World:
    def __init__(self, program, folder, url, formats):
        settings = [f"api.base_url={url}", f"mirror.path={folder}/mirror.db", f"export.dir={folder}/exports",
                    f"export.formats={formats}", "sync.deletion_wait=0s", "sync.events_max_age=0s", "export.compression="]
        self.command = [program, "-q", *(part for setting in settings[:-1] for part in ("--set", setting))]
        self.compressions = ["none", "gzip", "zstd"]
        self.runs = 0
        self.made = []

    def run(self, *arguments):
        """Runs a command of the program. Exports take turns in how they are compressed."""
        compression = self.compressions[self.runs % 3]
        self.runs += arguments[0] == "sync"
        environment = dict(os.environ, MALOMO_API_KEY="sk_clients")
        ran = subprocess.run([*self.command, "--set", f"export.compression={compression}", *arguments],
                             env=environment, capture_output=True, text=True)
        # 5: what could not be taken is told, and the rest is there.
        if ran.returncode not in (0, 5):
            sys.exit(f"{arguments}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def odd_changes(self, number):
        """Makes customers that are odd, then changes and deletes some of them."""
        if number == 0:
            for fields in ODD_CUSTOMERS:
                self.made.append(self.create(fields))
        if number in (1, 2):
            self.run("customers", "update", self.made[number], "--first-name", f"changed {number}")
        if number == 3:
            self.run("customers", "delete", self.made[5], "--yes")
            self.run("customers", "update", self.made[6], "--phone-number", "")
        if number == 4:
            self.made.append(self.create(ODD_CUSTOMERS[0]))

    def create(self, fields):
        flags = [part for name, value in fields.items() for part in (f"--{name}={value}",)]
        answer = json.loads(self.run("customers", "create", *flags))
        return answer.get("id") or answer["customer"]["id"]


if __name__ == "__main__":
    main()
