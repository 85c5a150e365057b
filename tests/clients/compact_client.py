"""Compaction in a bucket, beside a local folder: every format in every compression, snapshots and Delta tables among them; at
once, and killed at any moment.

Makes a world of its own; of the one that it is given it takes what kind it is.
"""

import random
import sys
from pathlib import Path

import account
import deltalake
import expected
import holdings
import moto
import persons
import store
import typed

COMPRESSIONS = ["none", "gzip", "zstd"]
INCREMENTS, KILLS = 5, 8


def main():
    program, kind, scratch = sys.argv[1], Path(sys.argv[2]).name, Path(sys.argv[3])
    of = account.Account()
    with store.store() as (s3, endpoint), of.served() as api:
        s3.create_bucket(Bucket=store.BUCKET)
        others = persons.Others(of, 40, kind)
        mirror = persons.Mirror(program, scratch, api, endpoint)
        prefix = lambda compression: (holdings.Prefix(s3, f"m/{compression}"), compression)
        mirror.export_to(**{compression: prefix(compression) for compression in COMPRESSIONS})
        said = [joined(mirror, others), killed(mirror, others)]
    print(f"S3 by moto {moto.__version__}, deltalake {deltalake.__version__}: {'; '.join(said)}")


def increments(mirror, others, count):
    for _ in range(count):
        others.change()
        mirror.run("sync", "--full")


def replayed(place, files, by_two):
    """What the files of each stream, format and compression amount to, and what the tables hold."""
    changes = {}
    for path, rows in holdings.files_with_rows(files).items():
        if not path.startswith("snapshots/"):
            stream, form = path.split("/")[0], path.split(".", 1)[1]
            changes.setdefault((stream, form), []).extend(rows)
    amount = {}
    for key, rows in changes.items():
        newest = {row["id"]: row for row in holdings.by_number(rows)}
        amount[key] = {id: row for id, row in newest.items() if row["_op"] not in ("delete", "erase")}
    return amount, holdings.tables_of(place, files, by_two)


def state(mirror, by_two=False):
    """Of each place the replay; each of them has who is in the mirror, and Parquet and tables every field of it."""
    found = {}
    for name, place in mirror.places().items():
        files = place.files()
        found[name] = amount, tables = replayed(place, files, by_two)
        for (stream, form), rows in amount.items():
            wanted = {id: row[-2] for id, row in expected.rows(mirror.folder, stream).items()}
            assert {id: holdings.seq_of(row) for id, row in rows.items()} == wanted, (name, stream, form)
        text = {stream: list(of_csv(amount, stream, columns)) for stream, columns in expected.STREAMS.items()}
        expected.compare(mirror.folder, text)
        typed_rows = {"Parquet": {stream: list(amount[stream, "parquet"].values()) for stream in expected.STREAMS},
                      "changes": {stream: typed.replayed(tables[f"{stream}_changes"]) for stream in expected.STREAMS},
                      "state": {stream: tables[stream] for stream in expected.STREAMS}}
        for rows in typed_rows.values():
            expected.compare(mirror.folder, {stream: list(typed.records(rows[stream], columns))
                                             for stream, columns in expected.STREAMS.items()})
    return found


def of_csv(amount, stream, columns):
    """The rows of CSV files, with numbers where the mirror has some."""
    (form,) = (form for of, form in amount if of == stream and form.startswith("csv"))
    for row in amount[stream, form].values():
        values = [int(row[name]) if name == "timestamp" and row[name] else row[name] for name in columns]
        yield (*values, int(row["_seq"]), row["_observed_at"])


def counted(mirror):
    """How many files with changes each place has, those of tables among them."""
    counts = {}
    for name, place in mirror.places().items():
        files = place.files()
        tables = sum(len(place.table(f"{stream}_changes").file_uris()) for stream in expected.STREAMS)
        counts[name] = len([path for path in holdings.files_with_rows(files) if not path.startswith("snapshots/")]) + tables
    return counts


def snapshots(mirror):
    return {name: {path: content for path, content in place.files().items() if path.startswith("snapshots/")}
            for name, place in mirror.places().items()}


def whole(mirror):
    """What is announced is there and true, and nothing lies beside it."""
    mirror.run("export", "verify")
    for name, place in mirror.places().items():
        stray = holdings.stray(place.files())
        assert not stray, f"{name}: no manifest and no table names {stray}"


def joined(mirror, others):
    increments(mirror, others, INCREMENTS)
    mirror.run("export", "--snapshot")
    increments(mirror, others, 1)
    mirror.run("export", "--snapshot")
    whole(mirror)
    before, shots, count = state(mirror, True), snapshots(mirror), counted(mirror)
    mirror.run("export", "compact", "--dry-run")
    assert counted(mirror) == count
    mirror.run("export", "compact")
    after = counted(mirror)
    # One file of each stream and format, and of each table with the changes.
    assert all(number == 2 * len(persons.FORMATS) for number in after.values()), after
    assert state(mirror, True) == before and snapshots(mirror) == shots
    whole(mirror)
    mirror.run("export", "compact")
    assert state(mirror) == before
    return f"{sum(count.values())} files of {len(count)} places joined into {sum(after.values())}, replays equal"


def killed(mirror, others):
    """Answers that are lost; then killed at any moment, or at the n-th request: the next one ends it."""
    draw, count, number = random.Random(11), 0, 0
    mirror.export_to(gzip=mirror.destinations["gzip"])
    increments(mirror, others, 2)
    usual = mirror.seconds("export", "compact")
    while count < KILLS:
        number += 1
        assert number < 4 * KILLS, count
        increments(mirror, others, 2)
        before = state(mirror)
        if number == 1:
            with store.lost_answers() as lost:
                mirror.run("export", "compact")
            was_killed = False
        elif number % 2:
            was_killed = mirror.killed(draw.uniform(0.2, 1) * usual, "export", "compact")
        else:
            at = draw.randrange(1, 150)
            was_killed = store.killed_at(mirror, lambda method, path, request: request == at, "export", "compact")
        count += was_killed
        # Whoever reads just now misses nothing.
        assert state(mirror) == before
        mirror.run("export", "verify")
        mirror.run("export", "compact")
        assert state(mirror) == before
        whole(mirror)
        if number % 4 == 0:
            mirror.run("export")
            whole(mirror)
    return (f"{len(lost)} lost answers made good; {count} compactions killed and ended by the next one, nothing lost and nothing "
            "left")


main()
