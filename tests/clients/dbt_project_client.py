"""integrations/dbt, run after each of several exports: what its model keeps is what the mirror holds."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import duckdb
import expected
import stages

PROJECT = Path(__file__).parents[2] / "integrations/dbt"


def main(world, scratch):
    os.makedirs(scratch)
    project, database = Path(scratch) / "project", os.path.join(scratch, "malomo.duckdb")
    shutil.copytree(PROJECT, project)
    passed = 0
    for folder in stages.growing(world, os.path.join(scratch, "exports")):
        dbt(project, "build", MALOMO_EXPORTS=str(folder), MALOMO_WAREHOUSE=database)
        results = json.loads((project / "target/run_results.json").read_text())["results"]
        passed = sum(one["status"] == "pass" for one in results)
    columns = expected.STREAMS["events"]
    with duckdb.connect(database) as connection:
        names = ", ".join(f'"{column}"' for column in columns)
        found = connection.execute(f"SELECT {names}, _seq FROM current_events WHERE NOT is_deleted").fetchall()
        deliveries = connection.execute("SELECT sum(deliveries) FROM deliveries_by_month").fetchone()[0]
    wanted = {key: row[:-1] for key, row in expected.rows(world, "events").items()}
    for row in found:
        expected_row = wanted.pop(row[0])
        for column, value, other in zip([*columns, "_seq"], expected_row, row):
            assert expected.equal(column, value, other, True), f"{row[0]!r} {column}: {value!r}, not {other!r}"
    assert not wanted, f"{len(wanted)} events are missing"
    delivered = sum(row[columns.index("type")] == "Delivered" and row[columns.index("timestamp")] is not None
                    for row in expected.rows(world, "events").values())
    assert deliveries == delivered, f"{deliveries} deliveries, not {delivered}"
    print(f"integrations/dbt, dbt {version('dbt-core')} with dbt-duckdb {version('dbt-duckdb')}: {len(found)} rows equal, {passed} tests passed")


def dbt(folder, *arguments, **environment):
    program = os.path.join(os.path.dirname(sys.executable), "dbt")
    environment = dict(os.environ, DBT_SEND_ANONYMOUS_USAGE_STATS="false", **environment)
    ran = subprocess.run([program, "--no-use-colors", "--no-version-check", *arguments, "--profiles-dir", str(folder)], cwd=folder,
                         env=environment, capture_output=True, text=True)
    problems = [line for line in ran.stdout.split("\n") if "Error" in line or "FAIL" in line or "ERROR" in line]
    assert ran.returncode == 0, "; ".join(problems[:3]) or ran.stdout[-500:]


main(*sys.argv[2:])
