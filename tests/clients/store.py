"""A server that speaks S3 (moto), and a relay before it that fails as networks and stores do."""

import contextlib
import http.client
import logging
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "exports"
# What a client of the store needs beside its endpoint.
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def store():
    """A client of the store, and the endpoint of the relay before it; both servers end with the block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    Relay.port = server.get_host_and_port()[1]
    relay = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    try:
        client = boto3.client("s3", endpoint_url=direct(), region_name=KEYS["AWS_REGION"],
                              aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"])
        yield client, f"http://127.0.0.1:{relay.server_port}"
    finally:
        relay.shutdown()
        server.stop()


def direct():
    """The store's endpoint without the relay."""
    return f"http://127.0.0.1:{Relay.port}"


def options():
    """What readers of tables need to find them in the store."""
    return {**KEYS, "AWS_ENDPOINT_URL": direct(), "AWS_ALLOW_HTTP": "true"}


class Relay(BaseHTTPRequestHandler):
    """Hands requests on, unless `meddle` answers them with a status and an S3 code, or loses the request or its
    answer."""

    protocol_version = "HTTP/1.1"
    # Else an answer's body waits until its headers have been confirmed.
    disable_nagle_algorithm = True
    port = None
    meddle = staticmethod(lambda method, path: None)
    count = 0

    def handle(self):
        # Of whoever was killed.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def relay(self):
        Relay.count += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refused = Relay.meddle(self.command, self.path)
        if refused == "request lost":
            self.connection.close()
            self.close_connection = True
            return
        if isinstance(refused, tuple):
            status, code = refused
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            headers = {"Content-Type": "application/xml"}
        else:
            upstream = http.client.HTTPConnection("127.0.0.1", Relay.port)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            status, text, headers = answer.status, answer.read(), dict(answer.getheaders())
            if refused == "answer lost":
                self.connection.close()
                self.close_connection = True
                return
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        length = headers.get("Content-Length", len(text)) if self.command == "HEAD" else len(text)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text[:len(text) // 2] if refused == "half an answer" else text)
        self.close_connection = refused == "half an answer"

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = relay

    def log_message(self, *_):
        pass


def healthy(method, path):
    return None


def meddle(how):
    Relay.meddle = staticmethod(how)


@contextlib.contextmanager
def lost_answers():
    """Within the block the first answer to each write is lost. Yields the writes."""
    seen = set()

    def first(method, path):
        if method in ("PUT", "POST", "DELETE") and (method, path) not in seen:
            seen.add((method, path))
            return "answer lost"
    meddle(first)
    yield seen
    meddle(healthy)


def killed_at(mirror, when, *arguments):
    """Whether a command was killed at the request for which `when` is true."""
    begin, started, process = Relay.count, threading.Event(), None

    def kill(method, path):
        started.wait()
        if when(method, path, Relay.count - begin):
            process.send_signal(signal.SIGKILL)
            return "request lost"
    meddle(kill)
    process = mirror.start(*arguments)
    started.set()
    process.communicate()
    meddle(healthy)
    return process.returncode == -signal.SIGKILL
