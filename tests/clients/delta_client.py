"""Delta Lake tables, read by several programs: after each of many exports, among them killed ones, both kinds of table hold
what the mirror does.

Makes a world of its own, since the tables are to be read as they grow; of the one that it is given it takes what kind it is.
"""

import contextlib
import datetime
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import deltalake
import expected
import polars
import pyarrow
import typed
import world

INCREMENTS = 14
# The run with this number dies at that place, for the time with that number.
KILLED = {3: "before-table-commit:1", 5: "before-table-commit:4", 7: "after-table-commit:1", 9: "after-table-commit:3",
          10: "before-rename:2", 11: "before-rename:3"}


def of_deltalake(table):
    return pyarrow.table(deltalake.DeltaTable(table).to_pyarrow_table()).to_pylist()


def of_polars(table):
    return polars.scan_delta(table).collect().to_dicts()


READERS = [(f"deltalake {deltalake.__version__}", of_deltalake), (f"polars {polars.__version__}", of_polars)]

with contextlib.suppress(ImportError):
    import duckdb
    import duckdb_extensions

    duckdb_extensions.import_extension("delta")
    CONNECTION = duckdb.connect()
    CONNECTION.execute("LOAD delta; SET TimeZone = 'UTC'")

    def of_duckdb(table):
        columns = CONNECTION.execute(f"DESCRIBE SELECT * FROM delta_scan('{table}')").fetchall()
        instants = [name for name, kind, *_ in columns if kind.startswith("TIMESTAMP")]
        replaced = ", ".join(f"epoch_us({name}) AS {name}" for name in instants)
        found = CONNECTION.execute(f"SELECT * REPLACE ({replaced}) FROM delta_scan('{table}')").fetchall()
        return [dict(zip([name for name, *_ in columns], row)) for row in found]

    READERS.append((f"DuckDB {duckdb.__version__}", of_duckdb))


def behind(folder):
    """The streams whose table of the state was left as it was, since little time has passed: up to which change each has come."""
    with sqlite3.connect(f"file:{folder}/mirror.db?mode=ro", uri=True) as mirror:
        (own,), = mirror.execute("SELECT value FROM meta WHERE key = 'mirror_id'")
        newest = dict(mirror.execute("SELECT stream, max(seq) FROM changes GROUP BY stream"))
    positions = {stream: deltalake.DeltaTable(folder / "exports" / stream).transaction_version(f"malomo-mirror/{own}/{stream}")
                 for stream in expected.STREAMS}
    return {stream: position for stream, position in positions.items() if position < newest[stream]}


def compare(folder):
    """Compares both kinds of table, as each reader has them, with the mirror; a state that is behind, with the changes up to
    where it has come. Returns how many rows are equal, by reader."""
    left = behind(folder)
    counts = []
    for name, read in READERS:
        tables = {table: read(str(folder / "exports" / table))
                  for stream in expected.STREAMS for table in (stream, f"{stream}_changes")}
        state = {stream: list(typed.records(tables[stream], columns)) for stream, columns in expected.STREAMS.items()}
        changes = {stream: list(typed.records(typed.replayed(tables[f"{stream}_changes"]), columns))
                   for stream, columns in expected.STREAMS.items()}
        for stream, position in left.items():
            then = [row for row in tables[f"{stream}_changes"] if row["_seq"] <= position]
            by_id = lambda rows: sorted(typed.records(rows, expected.STREAMS[stream]), key=lambda row: row[0])
            assert by_id(tables[stream]) == by_id(typed.replayed(then)), f"{stream} is not what it was at change {position}"
            state[stream] = changes[stream]
        counts.append(f"{name}: {expected.compare(folder, state)} + {expected.compare(folder, changes)}")
    return counts


def check_statistics(folder):
    """What the log says of the files is what they hold."""
    for stream in expected.STREAMS:
        for name in (stream, f"{stream}_changes"):
            table = deltalake.DeltaTable(folder / "exports" / name)
            actions = pyarrow.table(table.get_add_actions(flatten=True)).to_pylist()
            for action in actions:
                rows = pyarrow.parquet.read_table(folder / "exports" / name / action["path"])
                assert action["num_records"] == rows.num_rows, action["path"]
                for column in rows.column_names:
                    values = [typed.microseconds(value) if isinstance(value, datetime.datetime) else value
                              for value in rows[column].to_pylist() if value is not None]
                    nulls = action.get(f"null_count.{column}")
                    assert nulls is None or nulls == rows.num_rows - len(values), (name, column)
                    least, greatest = (action.get(f"{end}.{column}") for end in ("min", "max"))
                    if least is not None:
                        least, greatest = typed.microseconds(least), typed.microseconds(greatest)
                        assert least <= min(values) < least + 1_000 and greatest - 1_000 < max(values) <= greatest, column


def check_vacuum(folder):
    """Another program's VACUUM takes nothing away: neither what the log has let go of, nor the other exports in that folder."""
    for stream in expected.STREAMS:
        old = time.time() - 400 * 24 * 3600
        for path in (folder / "exports" / stream).rglob("*"):
            if path.is_file() and "_delta_log" not in path.parts:
                os.utime(path, (old, old))
        gone = deltalake.DeltaTable(folder / "exports" / stream).vacuum(dry_run=False, full=True)
        assert gone == [], gone


def main():
    program, kind, scratch = sys.argv[1], Path(sys.argv[2]).name, Path(sys.argv[3])
    scratch.mkdir(parents=True)
    sandbox = subprocess.Popen(
        [program, "sandbox", "--listen", "127.0.0.1:0", "--customers", str(world.CUSTOMERS), "--churn", "15",
         "--time-factor", "20000", *(["--awkward"] if kind == "awkward" else [])],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    killed = whole = 0
    try:
        url = re.search(r"http://\S+", sandbox.stdout.readline()).group()
        own = world.World(program, scratch, url, "csv,ndjson,parquet,delta")
        own.run("sync", "--full")
        for number in range(INCREMENTS):
            # The sandbox may have deleted whom they are about.
            with contextlib.suppress(SystemExit):
                own.odd_changes(number)
            time.sleep(0.3)
            if number in KILLED:
                environment = dict(os.environ, MALOMO_API_KEY="sk_clients", MALOMO_MIRROR_FAIL_POINT=KILLED[number])
                ran = subprocess.run([*own.command, "sync", "--full"], env=environment, capture_output=True)
                killed += ran.returncode == -signal.SIGABRT
                # Whatever it left is read as what was committed.
                for _, read in READERS:
                    for stream in expected.STREAMS:
                        typed.replayed(read(str(scratch / "exports" / f"{stream}_changes")))
                own.run("export")
            else:
                own.run("sync", "--full")
            counts = compare(scratch)
            whole += behind(scratch) == {}
            if number == 8:
                own.run("export", "--snapshot")
                assert behind(scratch) == {}
                compare(scratch)
                whole += 1
        own.run("export", "verify")
    finally:
        sandbox.terminate()
        sandbox.wait()
    check_statistics(scratch)
    check_vacuum(scratch)
    own.run("export", "verify")
    assert (scratch / "exports/customers_changes/_delta_log/00000000000000000010.checkpoint.parquet").exists()
    print(f"Delta, after each of {INCREMENTS} exports, {killed} of them killed, {whole} times with the state as it is now, " + "; ".join(counts) + " rows equal")


main()
