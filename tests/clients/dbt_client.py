"""dbt reads the mirror's tables as sources: it tests them, tells when the mirror last looked, and builds models of them.

dbt-duckdb attaches the mirror by DuckDB's extension for SQLite. That is fetched from elsewhere when it is first used, so the
tables are copied into a DuckDB file here.
"""

import json
import os
import sqlite3
import subprocess
import sys
from importlib.metadata import version

import client
import duckdb
import expected

# The views of types of events have hundreds of columns, which take minutes to copy.
NO_WORLD = "/nonexistent"

TYPES = {"integer": "BIGINT", "real": "DOUBLE", "blob": "BLOB"}


def main(program, world, scratch):
    os.makedirs(os.path.join(scratch, "models"))
    path = os.path.join(scratch, "copy.duckdb")
    tables = json.loads(client.describe(program, "json", NO_WORLD))["tables"]
    copy(world, path, tables)
    write(scratch, "dbt_project.yml", "name: malomo\nversion: '1.0'\nprofile: malomo\nmodel-paths: [models]\n")
    target = {"type": "duckdb", "path": path, "threads": 1}
    write(scratch, "profiles.yml", json.dumps({"malomo": {"target": "dev", "outputs": {"dev": target}}}))
    write(scratch, "models/malomo.yml", client.describe(program, "dbt", NO_WORLD))
    for stream in expected.STREAMS:
        write(scratch, f"models/{stream}_model.sql", f"SELECT * FROM {{{{ source('malomo', '{stream}') }}}}\n")
    dbt(scratch, "build", "--select", "source:malomo", *(f"{stream}_model" for stream in expected.STREAMS))
    with open(os.path.join(scratch, "target/run_results.json")) as results:
        results = [one["status"] for one in json.load(results)["results"]]
    dbt(scratch, "source", "freshness")
    count = 0
    with duckdb.connect(path) as connection:
        for stream, columns in expected.STREAMS.items():
            names = ", ".join(f'"{column}"' for column in columns)
            found = connection.execute(f"SELECT {names} FROM {stream}_model").fetchall()
            wanted = [row[:-2] for row in expected.rows(world, stream).values()]
            assert sorted(found, key=lambda row: row[0]) == sorted(wanted, key=lambda row: row[0]), stream
            count += len(found)
    tests = f"{results.count('pass')} tests passed, {results.count('warn')} warned"
    print(f"dbt {version('dbt-core')} with dbt-duckdb {version('dbt-duckdb')}: {count} rows equal, {tests}, fresh")


def copy(world, path, tables):
    with sqlite3.connect(f"file:{world}/mirror.db?mode=ro", uri=True) as mirror, duckdb.connect(path) as connection:
        for table in tables:
            columns = ", ".join(f'"{one["name"]}" {TYPES.get(one["type"], "VARCHAR")}' for one in table["columns"])
            connection.execute(f'CREATE TABLE "{table["name"]}" ({columns})')
            names = ", ".join(f'"{one["name"]}"' for one in table["columns"])
            rows = mirror.execute(f'SELECT {names} FROM "{table["name"]}"').fetchall()
            places = ", ".join("?" for _ in table["columns"])
            if rows:
                connection.executemany(f'INSERT INTO "{table["name"]}" VALUES ({places})', rows)


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def dbt(folder, *arguments):
    program = os.path.join(os.path.dirname(sys.executable), "dbt")
    environment = dict(os.environ, DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    ran = subprocess.run([program, "--no-use-colors", "--no-version-check", *arguments, "--profiles-dir", folder], cwd=folder,
                         env=environment, capture_output=True, text=True)
    problems = [line for line in ran.stdout.split("\n") if "Error" in line or "FAIL" in line or "ERROR" in line]
    assert ran.returncode == 0, "; ".join(problems[:3]) or ran.stdout[-500:]
    deprecated = [line for line in ran.stdout.split("\n") if "Deprecation" in line]
    assert not deprecated, deprecated[0]


main(*sys.argv[1:])
