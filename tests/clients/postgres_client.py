import json
import os
import subprocess

import client
import expected


def load(printed, stages, scratch):
    script = os.path.join(scratch, "malomo.sql")
    with open(script, "w") as file:
        file.write(printed)
    for stage in stages:
        subprocess.run(["psql", "-q", "-X", "-f", script], cwd=stage, check=True, stdout=subprocess.DEVNULL)
    found = {}
    for stream, columns in expected.STREAMS.items():
        # json_build_array would write the JSON of properties and extra anew.
        texts = ", ".join(f'"{column}"::text' for column in columns)
        time = "to_char(\"_observed_at\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
        query = f'SELECT json_build_array({texts}, "_seq", {time}) FROM "{stream}"'
        lines = subprocess.run(["psql", "-X", "-A", "-t", "-c", query], check=True, capture_output=True, text=True).stdout
        found[stream] = [numbered(columns, json.loads(line)) for line in lines.split("\n") if line]
    return found


def numbered(columns, row):
    return tuple(int(value) if column == "timestamp" and value is not None else value
                 for column, value in zip([*columns, "_seq", "_observed_at"], row))


version = subprocess.run(["psql", "-X", "-A", "-t", "-c", "SHOW server_version"], check=True, capture_output=True,
                         text=True).stdout.split()[0]
client.run("postgres", f"PostgreSQL {version}", load)
