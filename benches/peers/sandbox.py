"""The project's sandbox as a process of its own, and what stands in its lists."""

import http.client
import json
import subprocess
from urllib.parse import urljoin, urlsplit


class Sandbox:
    """A running sandbox; its `url` has no slash at the end."""

    def __init__(self, program, customers, latency_ms):
        arguments = ["--listen", "127.0.0.1:0", "--customers", str(customers), "--latency", f"{latency_ms}ms"]
        self.process = subprocess.Popen(
            [program, "--quiet", "sandbox", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self.process.stdout.readline()
        if not line.startswith("sandbox: http://"):
            raise SystemExit(f"the sandbox said {line!r}")
        self.url = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def count(self):
        """How many customers and events there are, by walking all lists with nothing but the standard library."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        customers = self._walk(connection, "/customers")
        events = [event for customer in customers for event in self._walk(connection, f"/customers/{customer}/events")]
        return len(set(customers)), len(set(events))

    def _walk(self, connection, path):
        ids, url = [], urljoin(self.url, path)
        while url:
            headers = {"Authorization": "Bearer sk_peer", "Accept": "application/vnd.malomo+json; version=2"}
            parts = urlsplit(url)
            connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
            answer = connection.getresponse()
            link = answer.headers.get("link") or ""
            ids += [record["id"] for record in json.load(answer)]
            links = [link for link in link.split(",") if 'rel="next"' in link]
            url = urljoin(url, links[0].split("<")[1].split(">")[0]) if links else None
        return ids
