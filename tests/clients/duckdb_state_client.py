"""integrations/duckdb, run after each of several exports: what it keeps is what the mirror holds."""

import os
import sys
from pathlib import Path

import duckdb
import expected
import stages

SCRIPT = Path(__file__).parents[2] / "integrations/duckdb/current_state.sql"


def main(world, scratch):
    os.makedirs(scratch)
    database, sizes = os.path.join(scratch, "malomo.duckdb"), []
    for folder in stages.growing(world, os.path.join(scratch, "exports")):
        os.chdir(folder)
        (folder / "state").mkdir(exist_ok=True)
        # The second time there is nothing new.
        for _ in range(2):
            with duckdb.connect(database) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute(SCRIPT.read_text())
                sizes.append(connection.execute("SELECT sum(through) FROM applied").fetchone()[0])
    assert sizes[::2] == sizes[1::2] and len(set(sizes)) > 3, sizes
    found = {stream: rows(stream, columns) for stream, columns in expected.STREAMS.items()}
    months = len(list(Path("state/events").glob("month=*")))
    assert months > 3, months
    print(f"integrations/duckdb, DuckDB {duckdb.__version__}: {expected.compare(world, found)} rows equal, events of {months} months")


def rows(stream, columns):
    names = ", ".join(f'"{column}"' for column in columns)
    time = "strftime(\"_observed_at\" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')"
    return duckdb.sql(f"SELECT {names}, _seq, {time} FROM read_parquet('state/{stream}/*/*.parquet')").fetchall()


main(*sys.argv[2:])
