"""Exports to a server that speaks S3 (moto), through a relay that fails as networks and stores do.

    s3_client.py PROGRAM WORLD SCRATCH
"""

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import moto
from moto.server import ThreadedMotoServer

BUCKET, PREFIX = "exports", "malomo/mirror"
INCREMENTS, KILLS = 5, 2


class Relay(BaseHTTPRequestHandler):
    """Hands requests on, unless `meddle` answers them with a status and an S3 code."""

    protocol_version = "HTTP/1.1"
    port = None
    meddle = staticmethod(lambda method, path: None)
    count = 0

    def relay(self):
        Relay.count += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refused = Relay.meddle(self.command, self.path)
        if refused:
            status, code = refused
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            headers = {"Content-Type": "application/xml"}
        else:
            upstream = http.client.HTTPConnection("127.0.0.1", Relay.port)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            status, text, headers = answer.status, answer.read(), dict(answer.getheaders())
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", len(text)) if self.command == "HEAD" else len(text)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = relay

    def log_message(self, *_):
        pass


class Mirror:
    def __init__(self, program, folder, api, endpoint):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(
            f"[api]\nbase_url = \"{api}\"\n[mirror]\npath = \"{folder}/mirror.db\"\n[sync]\nevents_max_age = \"0s\"\n"
            f"deletion_wait = \"0s\"\n[export]\ndir = \"{folder}/exports\"\nformats = [\"csv\", \"parquet\"]\n"
            f"[[destinations]]\nname = \"s3\"\nurl = \"s3://{BUCKET}/{PREFIX}\"\n")
        self.command = [program, "-q", "--config", str(folder / "config.toml")]
        self.environment = {**os.environ, "MALOMO_API_KEY": "sk_test", "AWS_ACCESS_KEY_ID": "key",
                            "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}

    def start(self, *arguments):
        return subprocess.Popen([*self.command, *arguments], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, code=0):
        process = self.start(*arguments)
        stdout, stderr = process.communicate()
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{stdout}\n{stderr}"
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


def objects(s3):
    """Every object below the prefix, by its name."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX + "/")
    names = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return {name[len(PREFIX) + 1:]: s3.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}


def check(s3, mirror):
    """What the manifest names is there to the byte, and nothing beside it."""
    mirror.run("export", "verify")
    found = objects(s3)
    lines = [json.loads(line) for line in found["manifest.ndjson"].splitlines()]
    for line in lines:
        assert hashlib.sha256(found[line["path"]]).hexdigest() == line["sha256"], line
    beside = set(found) - {line["path"] for line in lines} - {"manifest.ndjson", "datapackage.json"}
    assert not beside, beside
    for stream in ("customers", "events"):
        for form in ("csv", "parquet"):
            ends = [(line["first_seq"], line["last_seq"]) for line in lines
                    if (line["stream"], line["format"]) == (stream, form)]
            assert all(after[0] == before[1] + 1 for before, after in zip(ends, ends[1:])), ends
    return found


def main():
    program, _, scratch = sys.argv[1:]
    folder = Path(scratch)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    Relay.port = server.get_host_and_port()[1]
    relay = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{relay.server_port}"
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{Relay.port}", region_name="us-east-1",
                      aws_access_key_id="key", aws_secret_access_key="hidden")
    sandbox = subprocess.Popen([program, "sandbox", "--listen", "127.0.0.1:0", "--customers", "400", "--churn", "30",
                                "--time-factor", "20000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        api = re.search(r"http://\S+", sandbox.stdout.readline()).group()
        said = tried(program, folder, s3, api, endpoint)
    finally:
        sandbox.terminate()
        sandbox.wait()
        server.stop()
    print(f"S3 by moto {moto.__version__}: {said}")


def tried(program, folder, s3, api, endpoint):
    mirror = Mirror(program, folder / "one", api, endpoint)
    # No bucket yet.
    _, told = mirror.run("sync", "--full", code=5)
    assert "destination `s3` failed" in told and "create the bucket" in told, told
    s3.create_bucket(Bucket=BUCKET)
    mirror.run("export")
    for _ in range(INCREMENTS):
        mirror.sync()
    # To the byte as in the folder.
    found, local = check(s3, mirror), mirror.folder / "exports"
    files = [str(path.relative_to(local)) for path in local.rglob("*") if path.is_file() and path.parent != local]
    assert sorted(files) == sorted(name for name in found if "/" in name), files
    same = sum(found[name] == (local / name).read_bytes() for name in files)
    assert same == len(files), f"{same} of {len(files)}"

    # A key that the store refuses; one that is busy, then well again; one that is down.
    Relay.meddle = staticmethod(lambda method, path: (403, "InvalidAccessKeyId"))
    _, told = mirror.sync(code=5)
    assert "refused the credentials" in told and "403" in told, told
    mirror.run("export", "verify", "--destination", "export")
    busy = iter([(503, "SlowDown")] * 6)
    Relay.meddle = staticmethod(lambda method, path: next(busy, None) if Relay.count % 2 else None)
    mirror.run("export")
    check(s3, mirror)
    Relay.meddle = staticmethod(lambda method, path: (503, "SlowDown"))
    _, told = mirror.sync(code=5)
    assert "the next run tries again" in told, told
    Relay.meddle = staticmethod(lambda method, path: None)
    mirror.run("export")
    check(s3, mirror)

    # Somebody else writes the manifest at the very moment.
    def other(method, path):
        if method == "PUT" and path.endswith("/manifest.ndjson"):
            Relay.meddle = staticmethod(lambda method, path: None)
            key = f"{PREFIX}/manifest.ndjson"
            kept.append(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
            s3.put_object(Bucket=BUCKET, Key=key, Body=kept[0] + b"{}\n")
    kept = []
    Relay.meddle = staticmethod(other)
    _, told = mirror.sync(code=5)
    assert kept and "somebody else has written it" in told, told
    key = f"{PREFIX}/manifest.ndjson"
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == kept[0] + b"{}\n"
    s3.put_object(Bucket=BUCKET, Key=key, Body=kept[0])
    mirror.run("export")
    check(s3, mirror)

    # Killed at the n-th request of an export.
    killed = 0
    for number in range(1, KILLS + 1):
        shutil.rmtree(mirror.folder / "exports", ignore_errors=True)
        Relay.meddle = staticmethod(lambda method, path: (403, "AccessDenied"))
        mirror.sync(code=5)
        at, process = Relay.count + 3 * number, None

        def kill(method, path):
            if Relay.count >= at and process:
                process.send_signal(signal.SIGKILL)
                return 503, "SlowDown"
            return None
        process = mirror.start("export", "--destination", "s3")
        Relay.meddle = staticmethod(kill)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        Relay.meddle = staticmethod(lambda method, path: None)
        mirror.run("export")
        check(s3, mirror)
    assert killed > 0

    # Lost and damaged objects are written again; snapshots are larger than a part.
    name = sorted(name for name in objects(s3) if name.startswith("events/"))[0]
    s3.delete_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}")
    mirror.run("export", "verify", "--destination", "s3", code=1)
    mirror.run("export", "repair", "--destination", "s3")
    check(s3, mirror)
    mirror.run("export", "--snapshot", "--destination", "s3")
    mirror.run("export", "acknowledge", "--through", "1", "--destination", "s3")
    mirror.run("export", "verify", "--destination", "s3")
    uploads = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return f"{len(files)} files equal after {INCREMENTS} increments, {killed} kills, {len(uploads)} half uploads left"


main()
