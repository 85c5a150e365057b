"""Exports to a server that speaks S3 (moto), through a relay that fails as networks and stores do.

Makes worlds of its own; of the one that it is given it takes what kind it is.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import deltalake
import expected
import moto
import pyarrow
import typed
from store import BUCKET, KEYS, Relay, healthy, killed_at, lost_answers, meddle, options, store

PREFIX = "malomo/mirror"
INCREMENTS, KILLS = 5, 6
# How many customers have a name of 400 kB.
LARGE = 60


class Mirror:
    def __init__(self, program, folder, api, endpoint, formats=("csv", "parquet")):
        self.folder, self.prefix = folder, f"{PREFIX}/{folder.name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(
            f"[api]\nbase_url = \"{api}\"\n[mirror]\npath = \"{folder}/mirror.db\"\n[sync]\nevents_max_age = \"0s\"\n"
            f"deletion_wait = \"0s\"\n[export]\ndir = \"{folder}/exports\"\nformats = {json.dumps(formats)}\n"
            f"[[destinations]]\nname = \"s3\"\nurl = \"s3://{BUCKET}/{self.prefix}\"\n")
        self.command = [program, "-q", "--config", str(folder / "config.toml")]
        self.environment = {**os.environ, **KEYS, "MALOMO_API_KEY": "sk_test", "AWS_ENDPOINT_URL": endpoint}

    def start(self, *arguments):
        return subprocess.Popen([*self.command, *arguments], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, code=0):
        process = self.start(*arguments)
        stdout, stderr = process.communicate()
        # An awkward API leaves a sync incomplete, which is told without a word of a destination.
        is_awkward = code == 0 and process.returncode == 5 and "sync" in arguments and "failed" not in stderr
        assert process.returncode == code or is_awkward, f"{arguments}: {process.returncode}\n{stdout}\n{stderr}"
        assert "hidden" not in stdout + stderr, stderr
        return stdout, stderr

    def head(self):
        return json.loads(self.run("status", "--json")[0])["streams"][1]["last_change_seq"]

    def sync(self, code=0):
        """A sync that finds changes."""
        before = self.head()
        for _ in range(50):
            found = self.run("sync", "--full", code=code)
            if self.head() > before:
                return found
            time.sleep(0.2)
        raise AssertionError("the sandbox has no changes")


def objects(s3, mirror):
    """Every object of a mirror, by its name below the prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=mirror.prefix + "/")
    names = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return {name[len(mirror.prefix) + 1:]: s3.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}


def half_uploads(s3):
    return s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def check(s3, mirror):
    """What the manifest names is there to the byte, and nothing beside it."""
    mirror.run("export", "verify")
    found = objects(s3, mirror)
    lines = [json.loads(line) for line in found["manifest.ndjson"].splitlines()]
    for line in lines:
        assert hashlib.sha256(found[line["path"]]).hexdigest() == line["sha256"], line
    # Snapshots have a manifest of their own, and tables none.
    others = ("manifest.ndjson", "datapackage.json", "acknowledged.json", "erasures.ndjson")
    tables = {name for name in found if name.endswith(".json") or name.split("/")[-1].startswith("part-")}
    beside = {name for name in found if not name.startswith("snapshots/") and name not in others}
    beside -= {line["path"] for line in lines} | tables
    assert not beside, beside
    for stream in ("customers", "events"):
        for form in ("csv", "parquet"):
            ends = [(line["first_seq"], line["last_seq"]) for line in lines
                    if (line["stream"], line["format"]) == (stream, form)]
            assert all(after[0] == before[1] + 1 for before, after in zip(ends, ends[1:])), ends
    return found


def files_of(folder, found):
    """The data files of the folder, each of which has to be an object with the same bytes; and no object more."""
    files = [str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.suffix in (".csv", ".parquet")]
    assert sorted(files) == sorted(name for name in found if Path(name).suffix in (".csv", ".parquet")), files
    same = sum(found[name] == (folder / name).read_bytes() for name in files)
    assert same == len(files), f"{same} of {len(files)}"
    return len(files)


def main():
    program, kind, scratch = sys.argv[1], Path(sys.argv[2]).name, Path(sys.argv[3])
    with store() as (s3, endpoint):
        said = parts(program, kind, scratch, s3, endpoint)
    print(f"S3 by moto {moto.__version__}: {'; '.join(said)}")


def parts(program, kind, scratch, s3, endpoint):
    sandbox = subprocess.Popen([program, "sandbox", "--listen", "127.0.0.1:0", "--customers", "40", "--churn", "30",
                                "--time-factor", "5000", *(["--awkward"] if kind == "awkward" else [])],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = []
    try:
        api = re.search(r"http://\S+", sandbox.stdout.readline()).group()
        mirror = Mirror(program, scratch / "files", api, endpoint)
        for part in (increments, faults, second_writer, lost_connections, kills, repairs, pruned, snapshots):
            said.append(part(s3, mirror))
        said.append(tables(s3, Mirror(program, scratch / "tables", api, endpoint, ["parquet", "delta"])))
        said.append(large_files(s3, Mirror(program, scratch / "large", api, endpoint)))
    finally:
        sandbox.terminate()
        sandbox.wait()
    return said


def increments(s3, mirror):
    # No bucket yet.
    _, told = mirror.run("sync", "--full", code=5)
    assert "destination `s3` failed" in told and "create the bucket" in told, told
    s3.create_bucket(Bucket=BUCKET)
    mirror.run("export")
    for _ in range(INCREMENTS):
        mirror.sync()
    count = files_of(mirror.folder / "exports", check(s3, mirror))
    return f"{count} files as in the folder after {INCREMENTS} increments"


def faults(s3, mirror):
    """A key that the store refuses; one that is busy, then well again; one that is down."""
    meddle(lambda method, path: (403, "InvalidAccessKeyId"))
    _, told = mirror.sync(code=5)
    assert "refused the credentials" in told and "403" in told, told
    mirror.run("export", "verify", "--destination", "export")
    busy = iter([(503, "SlowDown")] * 6)
    meddle(lambda method, path: next(busy, None) if Relay.count % 2 else None)
    mirror.run("export")
    check(s3, mirror)
    meddle(lambda method, path: (503, "SlowDown"))
    _, told = mirror.sync(code=5)
    assert "the next run tries again" in told, told
    meddle(healthy)
    mirror.run("export")
    check(s3, mirror)
    return "403 and 503 told and made good"


def second_writer(s3, mirror):
    """Somebody else writes the manifest at the very moment."""
    key, kept = f"{mirror.prefix}/manifest.ndjson", []

    def other(method, path):
        if method == "PUT" and path.endswith("/manifest.ndjson"):
            meddle(healthy)
            kept.append(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            s3.put_object(Bucket=BUCKET, Key=key, Body=kept[0] + b"{}\n")
    meddle(other)
    _, told = mirror.sync(code=5)
    assert kept and "somebody else has written it" in told, told
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == kept[0] + b"{}\n"
    s3.put_object(Bucket=BUCKET, Key=key, Body=kept[0])
    mirror.run("export")
    check(s3, mirror)
    return "a second writer's manifest kept"


def lost_connections(s3, mirror):
    """Requests and answers that are lost: each third, then each write's first answer."""
    for lost in ("request lost", "answer lost"):
        meddle(lambda method, path: lost if Relay.count % 3 == 0 else None)
        mirror.sync()
        meddle(healthy)
        check(s3, mirror)
    # Objects are read on where an answer broke off; lists are left to the next run.
    is_list = lambda path: "list-type=2" in path
    meddle(lambda method, path: "half an answer" if method == "GET" and not is_list(path) and Relay.count % 2 else None)
    mirror.sync()
    meddle(lambda method, path: "half an answer" if is_list(path) else None)
    _, told = mirror.sync(code=5)
    assert "the next run tries again" in told, told
    meddle(healthy)
    mirror.run("export")
    check(s3, mirror)
    with lost_answers() as seen:
        mirror.sync()
    assert len(seen) >= 5, seen
    check(s3, mirror)
    return f"{len(seen)} writes' answers lost"


def kills(s3, mirror):
    """Killed at the n-th request of an export."""
    killed = 0
    for number in range(1, KILLS + 1):
        meddle(lambda method, path: (403, "AccessDenied"))
        mirror.sync(code=5)
        meddle(healthy)
        killed += killed_at(mirror, lambda method, path, count: count == 2 * number, "export", "--destination", "s3")
        mirror.run("export")
        check(s3, mirror)
    assert killed > KILLS // 2, killed
    return f"{killed} kills"


def repairs(s3, mirror):
    """A lost object and a damaged one of each format are written again."""
    before = objects(s3, mirror)
    names = sorted(name for name in before if name.startswith("events/"))
    for name in names[:4]:
        s3.delete_object(Bucket=BUCKET, Key=f"{mirror.prefix}/{name}")
    for name in names[4:8]:
        s3.put_object(Bucket=BUCKET, Key=f"{mirror.prefix}/{name}", Body=before[name][:-9] + b"\n" * 9)
    told, _ = mirror.run("export", "verify", "--destination", "s3", code=1)
    assert all(name in told for name in names[:8]), told
    mirror.run("export", "repair", "--destination", "s3")
    found = objects(s3, mirror)
    assert {**found, "manifest.ndjson": b""} == {**before, "manifest.ndjson": b""}
    check(s3, mirror)
    # Beyond the history a file comes back without some rows, and the damaged one stays beside it.
    mirror.run("--set", "mirror.history_max_age=1s", "sync", "--full")
    key = f"{mirror.prefix}/{names[0]}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"damaged")
    told, _ = mirror.run("export", "repair", "--destination", "s3", code=5)
    assert f"{names[0]}.damaged" in told, told
    assert s3.get_object(Bucket=BUCKET, Key=f"{key}.damaged")["Body"].read() == b"damaged"
    s3.delete_object(Bucket=BUCKET, Key=f"{key}.damaged")
    check(s3, mirror)
    return f"{len(names[:8])} lost and damaged files brought back to the byte, one with rows left out"


def snapshots(s3, mirror):
    mirror.run("export", "--snapshot")
    count = files_of(mirror.folder / "exports/snapshots",
                     {name.removeprefix("snapshots/"): content for name, content in check(s3, mirror).items()
                      if name.startswith("snapshots/")})
    return f"{count} files of a snapshot as in the folder"


def pruned(s3, mirror):
    """Files that a snapshot doesn't stand for go once their consumer has them."""
    old = [name for name in objects(s3, mirror) if "/" in name]
    pruning = ["--set", "export.max_age=1s"]
    time.sleep(1.1)
    mirror.run(*pruning, "export", "--destination", "s3")
    assert set(old) <= objects(s3, mirror).keys()
    mirror.run("export", "acknowledge", "--through", str(mirror.head()), "--destination", "s3")
    mirror.run(*pruning, "export", "--destination", "s3")
    left = [name for name in old if name in objects(s3, mirror)]
    assert 4 <= len(left) < len(old), left
    mirror.run("export", "verify", "--destination", "s3")
    mirror.sync()
    check(s3, mirror)
    return f"{len(old) - len(left)} of {len(old)} files pruned when acknowledged"


def tables(s3, mirror):
    """Delta tables, read in the bucket: after kills, too."""
    def rows(table):
        table = deltalake.DeltaTable(f"s3://{BUCKET}/{mirror.prefix}/{table}", storage_options=options())
        return pyarrow.table(table.to_pyarrow_table()).to_pylist()

    def compare(suffix, current):
        return expected.compare(mirror.folder, {stream: list(typed.records(current(rows(stream + suffix)), columns))
                                                for stream, columns in expected.STREAMS.items()})
    mirror.run("sync", "--full")
    killed = 0
    for number in range(1, INCREMENTS + 1):
        meddle(lambda method, path: (403, "AccessDenied"))
        mirror.sync(code=5)
        meddle(healthy)
        logs = iter(range(100))
        killed += killed_at(mirror, lambda method, path, _: method == "PUT" and "_delta_log" in path and next(logs) == number % 4,
                            "export", "--destination", "s3")
        for stream in expected.STREAMS:
            typed.replayed(rows(f"{stream}_changes"))
        mirror.run("export")
        mirror.run("export", "verify")
        changes = compare("_changes", typed.replayed)
    assert killed > INCREMENTS // 2, killed
    mirror.run("export", "--snapshot")
    state = compare("", lambda rows: rows)
    return f"Delta by deltalake {deltalake.__version__}: {changes} + {state} rows equal after {killed} kills"


def large_files(s3, mirror):
    """Uploads of several parts: one that is killed, one that is given up, one whose answers are lost."""
    for number in range(LARGE):
        create(mirror, {"email": f"{number}@example.com", "first_name": os.urandom(200_000).hex()})
    meddle(lambda method, path: (403, "AccessDenied"))
    mirror.run("sync", "--full", code=5)
    meddle(healthy)
    killed = killed_at(mirror, lambda method, path, _: "partNumber=2" in path, "export", "--destination", "s3")
    # A half upload is invisible, and stays for the bucket's lifecycle rule.
    left = half_uploads(s3)
    assert killed and left and not any("/" in name for name in objects(s3, mirror)), left
    for upload in left:
        s3.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    meddle(lambda method, path: (503, "SlowDown") if "partNumber=2" in path else None)
    _, told = mirror.run("export", "--destination", "s3", code=5)
    assert "the next run tries again" in told and half_uploads(s3) == [], (told, half_uploads(s3))
    seen = set()

    def first(method, path):
        if "uploadId=" in path and (method, path) not in seen:
            seen.add((method, path))
            return "answer lost"
    meddle(first)
    mirror.run("export")
    meddle(healthy)
    found = check(s3, mirror)
    count = files_of(mirror.folder / "exports", found)
    sizes = [len(content) for content in found.values()]
    return (f"{count} files of up to {max(sizes) >> 20} MiB in parts, {len(left)} half uploads left by a kill, 0 by 503s, "
            f"{len(seen)} parts' answers lost, {len(half_uploads(s3))} half uploads left")


def create(mirror, customer):
    api = re.search(r'base_url = "(.*)"', (mirror.folder / "config.toml").read_text()).group(1)
    headers = {"Authorization": "Bearer sk_test", "Content-Type": "application/json",
               "Accept": "application/vnd.malomo+json; version=2"}
    urllib.request.urlopen(urllib.request.Request(f"{api}/customers", json.dumps(customer).encode(), headers)).read()


main()
