"""The exports as polars frames: run it in the export folder (polars 1 or newer).

customers and events hold the records as they are now. NULL is null, and "" the empty string. properties and extra are text,
to the byte: str.json_decode() gives their values. A file that comes twice or late changes nothing.
"""

import json
from pathlib import Path

import polars as pl

# What each column means: malomo-mirror describe
COLUMNS = {{
{columns}}}


def files(stream):
    """The CSV files of a stream. A line of the manifest counts once it ends."""
    lines = Path("manifest.ndjson").read_bytes().split(b"\n")[:-1]
    entries = map(json.loads, lines)
    return [entry["path"] for entry in entries if entry["stream"] == stream and entry["format"] == "csv"]


def changes(stream):
    """Every change of a stream, each once, oldest first."""
    # Without a schema of its own, polars would take telephone numbers for integers.
    frames = [pl.read_csv(file, schema=COLUMNS[stream]) for file in files(stream)]
    frame = pl.concat(frames or [pl.DataFrame(schema=COLUMNS[stream])])
    time = pl.col("_observed_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms", time_zone="UTC")
    return frame.unique("_seq").sort("_seq").with_columns(time)


def current(stream):
    """The records of a stream as they are now: the newest change of each, unless that is a delete or an erasure."""
    newest = changes(stream).unique("id", keep="last", maintain_order=True)
    return newest.filter(~pl.col("_op").is_in(["delete", "erase"])).drop("_op")


{currents}
