"""A world for compactions and erasures: an account of others and of persons with rare names, and a mirror of it that exports
to folders and to a bucket."""

import json
import os
import random
import signal
import subprocess
import time

import holdings
import store

FORMATS = ["csv", "ndjson", "parquet", "delta"]
ODD = ['=1+1, "x"', "a\r\nb;\"c\"", "👩‍🚀\u2028", "\\N", "NULL", "", " ", "\x00\ud83d", "'", "1e400"]


class Others:
    """Everybody else, who change as time passes."""

    def __init__(self, account, count, kind):
        self.account, self.draw, self.is_odd, self.made = account, random.Random(7), kind == "awkward", 0
        for _ in range(count):
            self.add()

    def text(self, plain):
        return f"{plain}{self.draw.choice(ODD)}" if self.is_odd else plain

    def add(self):
        self.made += 1
        id = f"c-{self.made:04}"
        self.account.put(id, email=f"{id}@example.com", first_name=self.text("First"), last_name=self.text(f"Last of {id}"),
                         phone_number="555-555-5555", tier=self.text("gold"))
        for _ in range(self.draw.randrange(3)):
            self.add_event(id)

    def add_event(self, customer):
        count = sum(map(len, self.account.events.values()))
        order = {"id": f"o-{count}", "email": f"{customer}@example.com", "total": 12.30, "large": 12345678901234567890123}
        self.account.event(customer, f"e-{count}-{self.made}-{self.account.clock}", label=self.text("Order"),
                           properties={"shopify_order": order, "note": self.text("")})

    def change(self, count=6):
        """Some are new, some change, one goes, some order."""
        ids = [id for id in self.account.customers if id.startswith("c-")]
        for id in self.draw.sample(ids, count):
            self.account.put(id, first_name=self.text(f"First {self.account.clock}"))
            self.add_event(self.draw.choice(ids))
        gone = self.draw.choice(ids)
        self.account.remove(gone)
        self.add()


class Rare:
    """A person whose every text is found nowhere else."""

    def __init__(self, account, number):
        # Persons share no part of their names: packed, one of them would be another one's beginning and some other text.
        rare = "".join(random.Random(number).choices("bdfghjklmnprstvwxz", k=8))
        self.number, self.rare = number, rare
        self.id = f"rare-{rare}-{number}"
        self.emails = [f"{rare}.first@rare.example", f"{rare.title()}.Second+shop@rare.example"]
        self.order_email = f"buyer-for-{rare}@elsewhere.example"
        self.first_name, self.last_name = f"Ö{rare}ï", f"O'V{rare[::-1]}"
        self.phone = f"+49 (555) {random.Random(number).randrange(10**8, 10**9)}"
        self.account = account
        account.put(self.id, email=self.emails[0], first_name=self.first_name, last_name=self.last_name,
                    phone_number=self.phone, nickname=f"{self.first_name} \"the {self.last_name}\"",
                    note=f"call {self.first_name}")
        self.order()

    def order(self):
        order = {"id": f"o-{self.rare}-{self.account.clock}", "email": self.order_email,
                 "customer": {"email": self.emails[0], "phone": self.phone}}
        names = {self.emails[0]: 1, self.order_email: 1, f"of {self.last_name}": 1}
        self.account.event(self.id, f"evt-{self.rare}-{self.account.clock}", label=f"{self.first_name}'s order",
                           link_back_url="https://shop.example/?for=" + self.order_email.replace("@", "%40"),
                           properties={"shopify_order": order, **names})

    def change(self):
        self.account.put(self.id, email=self.emails[1])
        self.order()

    def texts(self):
        """What names the person in any way."""
        return [self.id, *self.emails, self.order_email, self.first_name, self.last_name, self.phone,
                f"evt-{self.rare}-", f"o-{self.rare}-"]


class Mirror:
    """A mirror with an export folder and further destinations."""

    def __init__(self, program, folder, api, endpoint=None, compression="none", history="0s"):
        self.folder = folder
        for name in ("", "temporary"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.begin = (f"[api]\nbase_url = \"{api}\"\n[mirror]\npath = \"{folder}/mirror.db\"\n"
                      f"history_max_age = \"{history}\"\n[sync]\nevents_max_age = \"0s\"\n"
                      f"deletion_wait = \"0s\"\n[export]\ndir = \"{folder}/exports\"\nformats = {json.dumps(FORMATS)}\n"
                      f"compression = \"{compression}\"\n")
        self.destinations = {}
        self.command = [program, "-q", "--config", str(folder / "config.toml")]
        # What is put aside for a while would lie there.
        self.environment = {**os.environ, "MALOMO_API_KEY": "sk_test", "TMPDIR": str(folder / "temporary"),
                            "SQLITE_TMPDIR": str(folder / "temporary")}
        if endpoint:
            self.environment |= {**store.KEYS, "AWS_ENDPOINT_URL": endpoint}

    def export_to(self, **destinations):
        """Exports to these destinations from now on, beside the folder: of each its place and its compression."""
        self.destinations = destinations
        tables = "".join(f"[[destinations]]\nname = \"{name}\"\nurl = \"{place}\"\ncompression = \"{compression}\"\n"
                         for name, (place, compression) in destinations.items())
        (self.folder / "config.toml").write_text(self.begin + tables)

    def places(self):
        """Where exports are."""
        return {"export": holdings.Folder(self.folder / "exports"),
                **{name: place for name, (place, _) in self.destinations.items()}}

    def start(self, *arguments):
        return subprocess.Popen([*self.command, *arguments], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, code=0):
        process = self.start(*arguments)
        stdout, stderr = process.communicate()
        codes = code if isinstance(code, tuple) else (code,)
        assert process.returncode in codes, f"{arguments}: {process.returncode}, not {code}\n{stdout}\n{stderr}"
        return stdout

    def killed(self, seconds, *arguments):
        """Whether a command was killed, so long after its start."""
        process = self.start(*arguments)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def seconds(self, *arguments, code=0):
        """How long a command takes."""
        begin = time.monotonic()
        self.run(*arguments, code=code)
        return time.monotonic() - begin
