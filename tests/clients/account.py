"""A small account that a server on loopback answers from: honest, and with the very records that a client wants."""

import contextlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = 50


class Account:
    """Customers by id, and the events of each, as the API's members. Whoever changes them does so between two syncs."""

    def __init__(self):
        self.customers, self.events, self.clock = {}, {}, 0

    def now(self):
        """A later time with each call."""
        self.clock += 1
        return f"2024-01-01T{self.clock // 3600:02}:{self.clock // 60 % 60:02}:{self.clock % 60:02}Z"

    def put(self, id, **members):
        """Adds a customer, or changes one."""
        now = self.now()
        known = self.customers.get(id) or {"id": id, "email": None, "first_name": None, "last_name": None,
                                           "phone_number": None, "created_at": now}
        self.customers[id] = {**known, **members, "updated_at": now}

    def event(self, customer, id, **members):
        now = self.now()
        self.events.setdefault(customer, []).append(
            {"id": id, "type": "ShopifyOrderCreated", "label": f"Order {id}", "link_back_url": f"https://shop.example/{id}",
             "timestamp": 1714564800 + self.clock, "properties": {}, "created_at": now, "updated_at": now, **members})

    def remove(self, id):
        del self.customers[id]
        self.events.pop(id, None)

    @contextlib.contextmanager
    def served(self):
        """The base URL of a server that ends with the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"account": self}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else an answer's body waits until its headers have been confirmed.
    disable_nagle_algorithm = True
    account = None

    def handle(self):
        # Of whoever was killed.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self):
        path, _, query = self.path.partition("?")
        match [urllib.parse.unquote(part) for part in path.split("/")[1:]]:
            case ["accounts", "self"]:
                self.answer({"id": "account-1"})
            case ["customers"]:
                self.page(list(self.account.customers.values()), query)
            case ["customers", id] if id in self.account.customers:
                self.answer(self.account.customers[id])
            case ["customers", id, "events"] if id in self.account.customers:
                self.page(self.account.events.get(id, []), query)
            case _:
                self.answer({"code": "not_found", "message": "no such record", "request_id": "r", "status": 404}, 404)

    def page(self, records, query):
        token = urllib.parse.parse_qs(query).get("next", ["at-0"])[0]
        if not token.startswith("at-"):
            self.answer({"code": "invalid_cursor", "message": "none of this list's", "request_id": "r", "status": 400}, 400)
            return
        begin = int(token.removeprefix("at-"))
        end = begin + PAGE
        link = f'<{self.path.partition("?")[0]}?next=at-{end}>; rel="next"' if end < len(records) else None
        self.answer(records[begin:end], 200, link)

    def answer(self, value, status=200, link=None):
        # As servers in other languages escape it.
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if link:
            self.send_header("Link", link)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass
