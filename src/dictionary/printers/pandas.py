"""The exports as pandas frames, read by PyArrow: run it in the export folder (pandas 2 or newer, and pyarrow).

customers and events hold the records as they are now. NULL is a missing value, and "" the empty string. properties and extra
are text, to the byte: json.loads() gives their values. A file that comes twice or late changes nothing.
"""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv

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
    # Quoted fields are never NULL, and a field may hold line ends. A block has to hold the longest row.
    convert = csv.ConvertOptions(column_types=COLUMNS[stream], null_values=[""], strings_can_be_null=True,
                                 quoted_strings_can_be_null=False)
    parse = csv.ParseOptions(newlines_in_values=True)
    read = csv.ReadOptions(block_size=64 << 20)
    tables = [csv.read_csv(file, read_options=read, parse_options=parse, convert_options=convert)
              for file in files(stream)]
    tables = tables or [pa.schema(COLUMNS[stream]).empty_table()]
    frame = pa.concat_tables(tables).to_pandas(types_mapper=pd.ArrowDtype)
    return frame.drop_duplicates("_seq").sort_values("_seq")


def current(stream):
    """The records of a stream as they are now: the newest change of each, unless that is a delete or an erasure."""
    newest = changes(stream).drop_duplicates("id", keep="last")
    return newest[~newest["_op"].isin(["delete", "erase"])].drop(columns="_op").reset_index(drop=True)


{currents}
