"""What folders and buckets hold of an export, read without this program: every byte, as it lies there and unpacked, and the
rows of every file."""

import io
import json
import sqlite3
import urllib.parse
import zlib
from pathlib import Path

import deltalake
import polars
import pyarrow
import pyarrow.parquet
import store
import typed
import zstandard


class Folder:
    """A folder of this machine."""

    def __init__(self, path):
        self.path = Path(path)

    def files(self):
        return {str(path.relative_to(self.path)): path.read_bytes() for path in sorted(self.path.rglob("*")) if path.is_file()}

    def put(self, name, content):
        (self.path / name).write_bytes(content)

    def remove(self, name):
        (self.path / name).unlink()

    def table(self, name):
        return deltalake.DeltaTable(str(self.path / name))

    def scan(self, name):
        return polars.scan_delta(str(self.path / name))

    def __str__(self):
        return str(self.path)


class Prefix:
    """A prefix in the bucket."""

    def __init__(self, s3, prefix):
        self.s3, self.prefix = s3, prefix

    def files(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=store.BUCKET, Prefix=self.prefix)
        names = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return {name[len(self.prefix):].lstrip("/"): self.s3.get_object(Bucket=store.BUCKET, Key=name)["Body"].read()
                for name in names}

    def put(self, name, content):
        self.s3.put_object(Bucket=store.BUCKET, Key=f"{self.prefix}/{name}", Body=content)

    def remove(self, name):
        self.s3.delete_object(Bucket=store.BUCKET, Key=f"{self.prefix}/{name}")

    def table(self, name):
        return deltalake.DeltaTable(f"s3://{store.BUCKET}/{self.prefix}/{name}", storage_options=store.options())

    def scan(self, name):
        return polars.scan_delta(f"s3://{store.BUCKET}/{self.prefix}/{name}", storage_options=store.options())

    def __str__(self):
        return f"s3://{store.BUCKET}/{self.prefix}".rstrip("/")


def unpacked(content):
    """What packed bytes hold, by how they begin; of damaged ones what comes before the damage."""
    if content.startswith(b"\x1f\x8b"):
        stream, plain = zlib.decompressobj(zlib.MAX_WBITS | 16), b""
        try:
            while content:
                plain += stream.decompress(content)
                content, stream = stream.unused_data, zlib.decompressobj(zlib.MAX_WBITS | 16)
        except zlib.error:
            pass
        return plain
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        reader, plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True), b""
        try:
            while part := reader.read(1 << 16):
                plain += part
        except zstandard.ZstdError:
            pass
        return plain
    if content.startswith(b"PAR1"):
        try:
            file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
            return f"{file.metadata.metadata} {file.read().to_pylist()}".encode(errors="surrogatepass")
        except (pyarrow.ArrowInvalid, OSError):
            return b""
    if content.startswith(b"SQLite format 3\0"):
        return b"".join(values_of(content))
    return b""


def values_of(content):
    """Every value of every table of a database, whatever its write-ahead log adds."""
    database = sqlite3.connect(":memory:")
    # A copy in memory has no write-ahead log: bytes 18 and 19 say that it needs none.
    database.deserialize(content[:18] + b"\1\1" + content[20:])
    for name, in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        for row in database.execute(f'SELECT * FROM "{name}"'):
            yield "\t".join(map(str, row)).encode(errors="surrogatepass") + b"\n"
    database.close()


def forms(text):
    """A text in the forms in which it may stand somewhere."""
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield text.replace('"', '""')
    for quoted in (urllib.parse.quote, urllib.parse.quote_plus):
        yield quoted(text)
        yield quoted(text, safe="@")


def search(places, texts):
    """Where one of the texts stands, in names or in contents, whatever its capitals; and how many files that were, with how
    many bytes, unpacked ones among them."""
    needles = {form.lower().encode(): text for text in texts for form in forms(text)}
    found, files, size = [], 0, 0
    for place in places:
        for name, content in place.files().items():
            files += 1
            for kind, part in (("as it lies there", content), ("unpacked", unpacked(content)), ("by its name", name.encode())):
                size += len(part)
                lower = part.lower() + part.decode(errors="replace").lower().encode()
                found += [f"{text} in {place}/{name} {kind}" for needle, text in needles.items() if needle in lower]
    return found, files, size


def plain(content):
    return unpacked(content) if content[:2] == b"\x1f\x8b" or content[:4] == b"\x28\xb5\x2f\xfd" else content


def rows_of(name, content):
    """The rows of an export file, as its format has them: NULL and the empty text are told apart."""
    content = plain(content)
    if ".csv" in name:
        return polars.read_csv(io.BytesIO(content), infer_schema=False).to_dicts()
    if ".ndjson" in name:
        # With every number's digits.
        number = lambda digits: ("number", digits)
        lines = content.decode().split("\n")[:-1]
        return [json.loads(line, parse_float=number, parse_int=number) for line in lines]
    return pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()


def seq_of(row):
    seq = row["_seq"]
    return int(seq[1] if isinstance(seq, tuple) else seq)


def files_with_rows(files):
    """The rows of every file that a manifest announces, by the file's path."""
    rows = {}
    for manifest, folder in (("manifest.ndjson", ""), ("snapshots/manifest.ndjson", "snapshots/")):
        for line in files.get(manifest, b"").splitlines():
            path = folder + json.loads(line)["path"]
            rows[path] = rows_of(path, files[path])
    return rows


def tables_of(place, files, by_two=True):
    """The rows of every table, by its name, in the order of their numbers; as one reader has them, and another one as well."""
    tables = {}
    for name in sorted({name.split("/_delta_log")[0] for name in files if "/_delta_log/" in name}):
        rows = pyarrow.table(place.table(name).to_pyarrow_table()).to_pylist()
        if by_two:
            again = place.scan(name).collect().to_dicts()
            assert by_number(instants(rows)) == by_number(instants(again)), f"{place}/{name}: two readers differ"
        tables[name] = by_number(rows)
    return tables


def instants(rows):
    return [{name: typed.microseconds(value) if hasattr(value, "tzinfo") else value for name, value in row.items()}
            for row in rows]


def by_number(rows):
    return sorted(rows, key=seq_of)


def stray(files):
    """Files of an export that no manifest and no table's log names."""
    named = {"manifest.ndjson", "datapackage.json", "acknowledged.json", "erasures.ndjson", "snapshots/manifest.ndjson",
             "snapshots/datapackage.json", ".acknowledged.lock"}
    for manifest, folder in (("manifest.ndjson", ""), ("snapshots/manifest.ndjson", "snapshots/")):
        lines = [json.loads(line) for line in files.get(manifest, b"").splitlines()]
        named.update(folder + line["path"] for line in lines)
    for name in files:
        table, _, log = name.partition("/_delta_log/")
        if not log:
            continue
        named.add(name)
        if log.endswith(".json"):
            actions = [json.loads(line) for line in files[name].splitlines()]
        elif log.endswith(".parquet"):
            actions = pyarrow.parquet.read_table(io.BytesIO(files[name])).to_pylist()
        else:
            continue
        # What the log has let go of lies there for a day.
        for action in actions:
            named.update(f"{table}/{action[kind]['path']}" for kind in ("add", "remove") if action.get(kind))
    return sorted(set(files) - named)
