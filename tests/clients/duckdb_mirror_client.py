"""DuckDB reads the mirror itself: every table and view gives what SQLite gives."""

import datetime
import os
import re
import sqlite3
import sys

import client
import duckdb
from duckdb_extensions import import_extension


def plain(value):
    """As SQLite gives it."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03}Z"
    return value


def is_same(one, other):
    """But for a millisecond, which the old SQLite in DuckDB's extension loses of times with an offset."""
    return len(one) == len(other) and all(a == b or is_time(a) and is_time(b) and a[:-5] == b[:-5] for a, b in zip(one, other))


def is_time(value):
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value)


def main(program, world):
    import_extension("sqlite_scanner")
    printed = client.describe(program, "duckdb-mirror", world)
    os.chdir(world)
    connection = duckdb.connect()
    connection.execute(printed.replace("LOAD sqlite;", "LOAD sqlite_scanner;"))
    mirror = sqlite3.connect("file:mirror.db?mode=ro", uri=True)
    names, count = re.findall('TEMP VIEW "(.*)" AS', printed), 0
    assert {"customers", "events_history", "orders", "freshness"} <= set(names), names
    for name in names:
        columns = [row[1] for row in mirror.execute(f'PRAGMA table_xinfo("{name}")')]
        listed = ", ".join(f'"{column}"' for column in columns)
        found = [tuple(map(plain, row)) for row in connection.execute(f'SELECT {listed} FROM "{name}"').fetchall()]
        wanted = mirror.execute(f'SELECT {listed} FROM "{name}"').fetchall()
        for one, other in zip(sorted(found, key=repr), sorted(wanted, key=repr), strict=True):
            assert is_same(one, other), f"{name}: {one} is not {other}"
        count += len(found)
    return len(names), count


program, world, _ = sys.argv[1:]
names, count = main(program, world)
print(f"DuckDB {duckdb.__version__} on the mirror: {count} rows of {names} tables and views equal")
