"""Persons who are erased from a mirror and everywhere that it has exported to, a bucket among these: read without this
program, no byte of them is left, also where the erasure was killed at any moment, and everybody else is as before.

Makes worlds of its own; of the one that it is given it takes what kind it is.
"""

import json
import random
import sqlite3
import sys
import time
from pathlib import Path

import account
import deltalake
import duckdb
import duckdb_extensions
import expected
import holdings
import moto
import persons
import polars
import store

# In each kind of world, and with a bucket and without.
KILLS = 25
# The persons of a world with kills: not every erasure is still under way when it is to be killed.
PERSONS = 3 * KILLS

def main():
    program, kind, scratch = sys.argv[1], Path(sys.argv[2]).name, Path(sys.argv[3])
    begin = time.monotonic()
    with store.store() as (s3, endpoint):
        s3.create_bucket(Bucket=store.BUCKET)
        bucket = holdings.Prefix(s3, "")
        said = [erased(program, scratch / "erased", kind, s3, endpoint)]
        for with_bucket in (False, True):
            folder = scratch / ("kills-bucket" if with_bucket else "kills")
            said.append(killed(program, folder, kind, bucket if with_bucket else None, endpoint))
    print(f"S3 by moto {moto.__version__}, deltalake {deltalake.__version__}, polars {polars.__version__}, DuckDB "
          f"{duckdb.__version__}: {'; '.join(said)}; {time.monotonic() - begin:.0f} s")


class Watched:
    """A mirror, who has been erased from it, and everywhere that may hold one of them."""

    def __init__(self, mirror, everywhere, by_two):
        self.mirror, self.everywhere, self.gone, self.by_two = mirror, everywhere, [], by_two
        self.places = {}

    def others(self):
        """The rows of everybody else: of each place by file and by table."""
        ids = {person.id for person in self.gone}
        is_other = lambda row: row["_op"] != "erase" and row["id"] not in ids and row.get("customer_id") not in ids
        found = {}
        for name, place in self.places.items():
            files = place.files()
            for path, of_path in {**holdings.files_with_rows(files), **holdings.tables_of(place, files, self.by_two)}.items():
                rows = [row for row in of_path if is_other(row)]
                # The order of a snapshot is nobody's business.
                found[name, path] = holdings.by_number(rows) if path.startswith("snapshots/") else rows
        for stream, columns in expected.STREAMS.items():
            rows = expected.rows(self.mirror.folder, stream).values()
            customer = columns.index("customer_id") if "customer_id" in columns else 0
            found["mirror", stream] = [row for row in rows if row[0] not in ids and row[customer] not in ids]
        return found

    def check(self, others):
        """Nothing of the erased ones is left, and everybody else is as they were. Returns how much was searched."""
        texts = [text for person in self.gone for text in person.texts()]
        found, files, size = holdings.search(self.everywhere, texts)
        assert not found, found[:20]
        now = self.others()
        assert now.keys() == others.keys(), now.keys() ^ others.keys()
        for key, rows in others.items():
            lost, new = ([row for row in one if row not in two] for one, two in ((rows, now[key]), (now[key], rows)))
            assert rows == now[key], f"{key}: {len(lost)} rows are gone, {len(new)} are new: {lost[:2]} {new[:2]}"
        for name, place in self.places.items():
            files_of_place = place.files()
            stray = holdings.stray(files_of_place)
            assert not stray, f"{name}: {stray}"
        with sqlite3.connect(f"file:{self.mirror.folder}/mirror.db?mode=ro", uri=True) as database:
            assert database.execute("SELECT count(*) FROM erasures WHERE ended_at IS NULL").fetchone() == (0,)
        self.mirror.run("export", "verify")
        return files, size


def of_duckdb(place):
    """How many rows of the tables of a folder DuckDB reads; each as often as deltalake."""
    count, files = 0, place.files()
    duckdb_extensions.import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    for name, rows in holdings.tables_of(place, files).items():
        found = connection.execute(f"SELECT _seq, _op, id FROM delta_scan('{place}/{name}')").fetchall()
        assert sorted(found) == sorted((row["_seq"], row["_op"], row["id"]) for row in rows), name
        count += len(found)
    return count


def erased(program, folder, kind, s3, endpoint):
    of = account.Account()
    with of.served() as api:
        others = persons.Others(of, 40, kind)
        rare = [persons.Rare(of, number) for number in (1, 2)]
        mirror = persons.Mirror(program, folder, api, endpoint)
        prefix = lambda name, compression: (holdings.Prefix(s3, f"erased/{name}"), compression)
        share = (holdings.Folder(folder / "share"), "gzip")
        further = {**{name: prefix(name, name) for name in ("none", "gzip", "zstd")}, "share": share}
        mirror.export_to(**further, former=prefix("former", "gzip"))
        watched = Watched(mirror, [holdings.Folder(folder), holdings.Prefix(s3, "")], True)
        watched.places = mirror.places()
        mirror.run("sync", "--full")
        for number in range(4):
            others.change()
            for person in rare:
                person.change()
            mirror.run("sync", "--full")
            if number == 1:
                mirror.run("export", "--snapshot")
                mirror.run("export", "compact")
        mirror.run("export", "--snapshot")
        # From now on nobody exports there, and what is there is as personal as it was.
        mirror.export_to(**further)
        counts = [erase(watched, rare[0], kept_aside(watched, rare[0]))]
        counts.append(erase(watched, rare[1], repaired(watched, rare[1])))
        duck = sum(of_duckdb(place) for place in watched.places.values() if isinstance(place, holdings.Folder))
        returned(watched, of, others, rare)
    files, size = counts[1]
    return (f"two persons erased from {len(watched.places)} places, nothing found in {files} files with {size >> 20} MiB, "
            f"unpacked ones among them; DuckDB reads {duck} rows of tables; whoever comes back is kept out")


def erase(watched, person, aside):
    mirror = watched.mirror
    texts = person.texts()
    found, _, _ = holdings.search(watched.everywhere, texts)
    # The search would find each text, and finds some in each place and each form.
    for text in texts:
        assert any(one.startswith(f"{text} in ") for one in found), text
    for place in watched.places.values():
        for form in (".csv", ".ndjson", ".parquet", "customers_changes/", "/current/", "snapshots/"):
            assert any(f" in {place}/" in one and form in one for one in found), f"{form} of {place}"
    for path in aside:
        assert any(path in one for one in found), path
    watched.gone.append(person)
    others = watched.others()
    email = sorted(person.emails)[0] if person.number == 1 else person.emails[1]
    receipt, = json.loads(mirror.run("erase", "--email", email.upper(), "--yes", "--json"))
    assert len(receipt["persons"]) == 1 and len(receipt["exports"]) == len(watched.places), receipt
    counts = watched.check(others)
    path = str(mirror.folder / f"mirror.db.receipts/erasure-{receipt['erasure']:06}.json")
    mirror.run("erase", "--check", path, "--email", email, "--email", person.order_email, "--phone", person.phone, person.id)
    # It finds what lies in any place.
    for place in watched.places.values():
        place.put("customers/note.txt", f"x {person.order_email}".encode())
        mirror.run("erase", "--check", path, "--email", email, "--email", person.order_email, code=1)
        place.remove("customers/note.txt")
    return counts


def kept_aside(watched, person):
    """Files of the person, as a repair would have kept them aside: one in each place. Returns their names."""
    names = []
    for number, place in enumerate(watched.places.values()):
        files = place.files()
        mine = [name for name in files if name.startswith(("customers/", "snapshots/")) and ".damaged" not in name
                and person.id.encode() in holdings.plain(files[name]) + holdings.unpacked(files[name])
                and "/current/" not in name and "_delta_log" not in name and name.split("/")[-1].startswith("customers-")]
        name = mine[number % len(mine)]
        place.put(f"{name}.damaged", files[name])
        names.append(f"{name}.damaged")
    return names


def repaired(watched, person):
    """Files of the person that are damaged, and come back without rows that the mirror no longer knows. Returns the names of
    those that were kept aside."""
    mirror, names = watched.mirror, []
    mirror.run("--set", "mirror.history_max_age=1ms", "sync", "--full")
    for number, place in enumerate(mirror.places().values()):
        files = place.files()
        lines = [json.loads(line) for line in files["manifest.ndjson"].splitlines()]
        mine = [line["path"] for line in lines if line["stream"] == "customers" and line["first_seq"] > 1
                and person.id.encode() in holdings.plain(files[line["path"]]) + holdings.unpacked(files[line["path"]])]
        name = mine[number % len(mine)]
        place.put(name, files[name] + b"damaged")
    told = mirror.run("export", "repair", code=5)
    for name, place in mirror.places().items():
        names += [path for path in place.files() if path.endswith(".damaged")]
    assert len(names) >= 3, (names, told)
    return names


def returned(watched, of, others, rare):
    """The API lists the persons still, then one of them with another id, and somebody else with the same first name."""
    mirror, before = watched.mirror, watched.others()
    counts = json.loads(mirror.run("sync", "--full", "--json"))["counts"]
    assert (counts["kept_out"], counts["customers_inserted"]) == (2, 0), counts
    watched.check(before)
    of.put("c-another-id", email=rare[0].emails[1].upper(), first_name=rare[0].first_name)
    of.put("c-namesake", email="namesake@example.com", first_name=rare[0].first_name, last_name="Other")
    of.event("c-another-id", "evt-of-another-id", properties={"email": rare[0].order_email})
    of.event("c-namesake", "evt-of-namesake")
    counts = json.loads(mirror.run("sync", "--full", "--json"))["counts"]
    assert (counts["kept_out"], counts["customers_inserted"], counts["events_inserted"]) == (3, 1, 1), counts
    with sqlite3.connect(f"file:{mirror.folder}/mirror.db?mode=ro", uri=True) as database:
        names = database.execute("SELECT id FROM customers WHERE first_name = ?", [rare[0].first_name]).fetchall()
    assert names == [("c-namesake",)], names
    # The namesake stands in every export, and nobody else of that name.
    texts = [text for person in rare for text in person.texts() if text != rare[0].first_name]
    found, _, _ = holdings.search(watched.everywhere, [*texts, "c-another-id", "evt-of-another-id"])
    assert not found, found[:20]
    for name, place in mirror.places().items():
        rows = holdings.files_with_rows(place.files()).values()
        assert any(row["id"] == "c-namesake" for of_file in rows for row in of_file), name
    mirror.run("export", "verify")


def faulty(mirror, number, command):
    """A store that refuses everything, and is well again; or the answer to every write is lost once."""
    if number == 2:
        store.meddle(lambda method, path: (403, "AccessDenied"))
        told = mirror.run(*command, code=5)
        assert "it is not ended" in told and "403" in told, told
        store.meddle(store.healthy)
        mirror.run("export")
    else:
        with store.lost_answers() as lost:
            mirror.run(*command)
        assert len(lost) > 20, lost


def killed(program, folder, kind, bucket, endpoint):
    """Erasures killed at any moment, each ended by the next `erase --finish`, `export`, `export repair` or `sync`. Without a
    bucket, the mirror keeps no version that has ended, so that files are all that knows some rows."""
    draw, count, number = random.Random(5), 0, 0
    of = account.Account()
    with of.served() as api:
        others = persons.Others(of, 20, kind)
        rare = [persons.Rare(of, number) for number in range(PERSONS)]
        mirror = persons.Mirror(program, folder, api, endpoint, "zstd", "0s" if bucket else "1ms")
        if bucket:
            mirror.export_to(bucket=(holdings.Prefix(bucket.s3, folder.name), "gzip"))
        else:
            mirror.export_to(share=(holdings.Folder(folder / "share"), "gzip"))
        further = [holdings.Prefix(bucket.s3, folder.name)] if bucket else []
        watched = Watched(mirror, [holdings.Folder(folder), *further], False)
        watched.places = mirror.places()
        mirror.run("sync", "--full")
        mirror.run("export", "--snapshot")
        for _ in range(2):
            others.change()
            for person in rare:
                person.change()
            mirror.run("sync", "--full")
        usual = None
        commands = {"finish": ["erase", "--finish"], "export": ["export"], "sync": ["sync", "--full"],
                    "repair": ["export", "repair"]}
        ends = dict.fromkeys([*commands, "again"], 0)
        while count < KILLS:
            person = rare[number]
            number += 1
            if number % 6 == 0:
                others.change(2)
                mirror.run("sync", "--full")
            if number % 5 == 0:
                kept_aside(watched, person)
            watched.gone.append(person)
            before, command = watched.others(), ("erase", person.id, "--yes")
            if usual is None:
                usual = mirror.seconds(*command)
                was_killed = False
            elif bucket and number in (2, 3):
                was_killed = False
                faulty(mirror, number, command)
            elif bucket and number % 2:
                at = draw.randrange(1, 110)
                was_killed = store.killed_at(mirror, lambda method, path, request: request == at, *command)
            else:
                was_killed = mirror.killed(draw.uniform(0, 0.9 * usual), *command)
            count += was_killed
            if was_killed:
                with sqlite3.connect(f"file:{folder}/mirror.db?mode=ro", uri=True) as database:
                    erasures, = database.execute("SELECT count(*) FROM erasures").fetchone()
                end = "again" if erasures < number else draw.choice([*commands])
                ends[end] += 1
                mirror.run(*commands.get(end, command))
            watched.check(before)
    told = ", ".join(f"{count} {what}" for what, count in ends.items())
    return f"{count} erasures killed {'with a bucket' if bucket else 'with folders'}, ended by {told}"


main()
