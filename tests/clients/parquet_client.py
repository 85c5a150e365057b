"""Parquet, read by several programs: each replays all files, and what follows from other columns is checked."""

import os
import sys

import duckdb
import expected
import pandas
import polars
import pyarrow
import pyarrow.parquet
import stages
import typed

INSTANTS = ["_observed_at", "occurred_at", "created_at_utc", "updated_at_utc"]


def of_pyarrow(files):
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


def of_pandas(files):
    # Its own integers have no NULL.
    frames = [pandas.read_parquet(file, dtype_backend="pyarrow") for file in files]
    rows = [row for frame in frames for row in frame.to_dict("records")]
    plain = lambda value: None if pandas.isna(value) else value
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def of_polars(files):
    # It takes JSON for bytes.
    return polars.read_parquet(files).with_columns(polars.col(polars.Binary).cast(polars.String)).to_dicts()


def of_duckdb(files):
    relation = duckdb.sql(f"SELECT * FROM read_parquet({files})")
    types = dict(zip(relation.columns, map(str, relation.types)))
    assert types["extra"] == "JSON" and types["created_at_utc"] == "TIMESTAMP WITH TIME ZONE", types
    instants = ", ".join(f"epoch_us({name}) AS {name}" for name in INSTANTS if name in types)
    rows = duckdb.sql(f"SELECT * REPLACE ({instants}) FROM relation").fetchall()
    return [dict(zip(relation.columns, row)) for row in rows]


READERS = [
    (f"PyArrow {pyarrow.__version__}", of_pyarrow),
    (f"pandas {pandas.__version__}", of_pandas),
    (f"polars {polars.__version__}", of_polars),
    (f"DuckDB {duckdb.__version__}", of_duckdb),
]


def current(rows, columns):
    """The records as they are now: of each the row with the greatest number, unless that is a delete."""
    newest = {}
    for row in rows:
        typed.check(row)
        if row["id"] not in newest or newest[row["id"]]["_seq"] < row["_seq"]:
            newest[row["id"]] = row
    for row in newest.values():
        row["_observed_at"] = typed.observed_at(row)
    kept = [row for row in newest.values() if row["_op"] not in ("delete", "erase")]
    return [tuple(row[name] for name in [*columns, "_seq", "_observed_at"]) for row in kept]


def main():
    _, world, scratch = sys.argv[1:]
    os.makedirs(scratch)
    # The last stage has everything, in an order of its own.
    folder = stages.stages(world, os.path.join(scratch, "stages"))[-1]
    said = []
    for name, read in READERS:
        files = {stream: sorted(map(str, (folder / stream).glob("*.parquet"))) for stream in expected.STREAMS}
        found = {stream: current(read(files[stream]), columns) for stream, columns in expected.STREAMS.items()}
        said.append(f"{name}: {expected.compare(world, found)} rows equal")
    print("Parquet, " + "; ".join(said))


main()
