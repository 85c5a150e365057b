"""Parquet, read by several programs: each replays all files, and what follows from other columns is checked."""

import os
import sys

import duckdb
import expected
import pandas
import polars
import pyarrow
import readers
import stages
import typed

READERS = [
    (f"PyArrow {pyarrow.__version__}", readers.of_pyarrow),
    (f"pandas {pandas.__version__}", readers.of_pandas),
    (f"polars {polars.__version__}", readers.of_polars),
    (f"DuckDB {duckdb.__version__}", readers.of_duckdb),
]


def main():
    _, world, scratch = sys.argv[1:]
    os.makedirs(scratch)
    # The last stage has everything, in an order of its own.
    folder = stages.stages(world, os.path.join(scratch, "stages"))[-1]
    said = []
    for name, read in READERS:
        files = {stream: sorted(map(str, (folder / stream).glob("*.parquet"))) for stream in expected.STREAMS}
        found = {stream: list(typed.records(typed.replayed(read(files[stream])), columns)) for stream, columns in expected.STREAMS.items()}
        said.append(f"{name}: {expected.compare(world, found)} rows equal")
    print("Parquet, " + "; ".join(said))


main()
