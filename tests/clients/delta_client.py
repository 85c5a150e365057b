"""Delta Lake tables and Parquet files, read by several programs: after each of many exports, among them killed ones, both
kinds of table, and the files, hold what the mirror does.

Makes a world of its own, since the tables are to be read as they grow; of the one that it is given it takes what kind it is.
"""

import contextlib
import datetime
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import deltalake
import duckdb
import expected
import polars
import pyarrow
import pyspark
import readers
import typed
import world

INCREMENTS = 20
# The run with this number dies at that place, for the time with that number; the others at any time.
KILLED = {3: "before-table-commit:1", 5: "before-table-commit:4", 7: "after-table-commit:1", 9: "after-table-commit:3",
          10: "before-rename:2", 11: "before-rename:3"}


def of_deltalake(table):
    return pyarrow.table(deltalake.DeltaTable(table).to_pyarrow_table()).to_pylist()


def of_polars(table):
    return polars.scan_delta(table).collect().to_dicts()


READERS = [(f"deltalake {deltalake.__version__}", of_deltalake), (f"polars {polars.__version__}", of_polars)]

with contextlib.suppress(ImportError):
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

PARQUET_READERS = [(f"PyArrow {pyarrow.__version__}", readers.of_pyarrow), (f"polars {polars.__version__}", readers.of_polars),
                   (f"DuckDB {duckdb.__version__}", readers.of_duckdb), (f"PySpark {pyspark.__version__}", readers.of_spark)]


def announced(folder):
    """The Parquet files of each stream, as the manifest names them."""
    lines = [json.loads(line) for line in (folder / "exports/manifest.ndjson").read_text().splitlines()]
    return {stream: [str(folder / "exports" / line["path"]) for line in lines
                     if (line["stream"], line["format"]) == (stream, "parquet")] for stream in expected.STREAMS}


def behind(folder):
    """The streams whose table of the state was left as it was, since little time has passed: up to which change each has come."""
    with sqlite3.connect(f"file:{folder}/mirror.db?mode=ro", uri=True) as mirror:
        (own,), = mirror.execute("SELECT value FROM meta WHERE key = 'mirror_id'")
        newest = dict(mirror.execute("SELECT stream, max(seq) FROM changes GROUP BY stream"))
    positions = {stream: deltalake.DeltaTable(folder / "exports" / stream).transaction_version(f"malomo-mirror/{own}/{stream}")
                 for stream in expected.STREAMS}
    return {stream: position for stream, position in positions.items() if position < newest[stream]}


def compare(folder, is_exact):
    """Compares both kinds of table and the files, as each reader has them, with the mirror, field by field; where nothing was
    rewritten for readers' sake, by a sum over a hash of every field, too. A state that is behind is compared with the changes
    up to where it has come. Returns how many rows are equal, by reader."""
    left, files, counts = behind(folder), announced(folder), []
    sums = {stream: expected.digest(expected.rows(folder, stream).values()) for stream in expected.STREAMS}

    def equal(found):
        count = expected.compare(folder, found)
        assert not is_exact or {stream: expected.digest(rows) for stream, rows in found.items()} == sums
        return count

    def replayed(rows):
        """What the changes of each stream amount to."""
        return {stream: list(typed.records(typed.replayed(rows[stream]), columns)) for stream, columns in expected.STREAMS.items()}
    for name, read in PARQUET_READERS:
        counts.append(f"{name} {equal(replayed({stream: read(files[stream]) for stream in files}))} from Parquet")
    for name, read in READERS:
        changes = {stream: read(str(folder / "exports" / f"{stream}_changes")) for stream in expected.STREAMS}
        amount, state = replayed(changes), {}
        for stream, columns in expected.STREAMS.items():
            state[stream] = list(typed.records(read(str(folder / "exports" / stream)), columns))
            if stream in left:
                then = [row for row in changes[stream] if row["_seq"] <= left[stream]]
                by_id = lambda rows: sorted(rows, key=lambda row: row[0])
                assert by_id(state[stream]) == by_id(typed.records(typed.replayed(then), columns)), (stream, left)
                state[stream] = amount[stream]
        counts.append(f"{name} {equal(state)} + {equal(amount)} from Delta")
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
         "--time-factor", "5000", *(["--awkward"] if kind == "awkward" else [])],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    killed = whole = 0
    is_exact = kind != "awkward"
    try:
        url = re.search(r"http://\S+", sandbox.stdout.readline()).group()
        own = world.World(program, scratch, url, "csv,ndjson,parquet,delta")
        begin = time.monotonic()
        own.run("sync", "--full")
        usual = time.monotonic() - begin
        for number in range(INCREMENTS):
            # The sandbox may have deleted whom they are about.
            with contextlib.suppress(SystemExit):
                own.odd_changes(number)
            time.sleep(0.3)
            environment = dict(os.environ, MALOMO_API_KEY="sk_clients", MALOMO_MIRROR_FAIL_POINT=KILLED.get(number, ""))
            running = subprocess.Popen([*own.command, "sync", "--full"], env=environment, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            if number not in KILLED:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(random.uniform(0, usual))
                running.kill()
            killed += running.wait() in (-signal.SIGABRT, -signal.SIGKILL)
            # Whatever it left is read as what was committed.
            for _, read in READERS:
                for stream in expected.STREAMS:
                    typed.replayed(read(str(scratch / "exports" / f"{stream}_changes")))
            own.run(*(["export"] if number in KILLED else ["sync", "--full"]))
            counts = compare(scratch, is_exact)
            whole += behind(scratch) == {}
            if number == 8:
                own.run("export", "--snapshot")
                assert behind(scratch) == {}
                compare(scratch, is_exact)
                whole += 1
        own.run("export", "verify")
    finally:
        sandbox.terminate()
        sandbox.wait()
    check_statistics(scratch)
    check_vacuum(scratch)
    own.run("export", "verify")
    assert (scratch / "exports/customers_changes/_delta_log/00000000000000000010.checkpoint.parquet").exists()
    commits = deltalake.DeltaTable(scratch / "exports/events_changes").version()
    assert commits >= INCREMENTS, commits
    print(f"after each of {INCREMENTS} exports ({commits} commits), {killed} of them killed, {whole} times with the state as it "
          f"is now, rows equal: {'; '.join(counts)}")


main()
