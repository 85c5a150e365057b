"""What a client should hold: the rows of the mirror, as the exports make them portable.

Values are equal to the byte, but where the exports rewrite a value for readers' sake (docs/exports.md): there JSON is compared
by what it says.
"""

import hashlib
import json
import sqlite3

STREAMS = {
    "customers": ["id", "email", "first_name", "last_name", "phone_number", "created_at", "updated_at", "extra"],
    "events": ["id", "customer_id", "type", "label", "link_back_url", "timestamp", "properties", "created_at",
               "updated_at", "extra"],
}
JSON = {"properties", "extra"}


def rows(world, stream):
    """The mirror's rows by id, with the number and the time of their newest change."""
    columns = ", ".join(STREAMS[stream])
    query = f"""SELECT {columns}, change_seq AS seq, CASE WHEN change_seq = inserted_seq THEN inserted_at ELSE
                (SELECT observed_at FROM change_log WHERE seq = change_seq) END FROM {stream}"""
    with sqlite3.connect(f"file:{world}/mirror.db?mode=ro", uri=True) as mirror:
        return {row[0]: row for row in mirror.execute(query)}


def compare(world, found, json_as_text=True):
    """Compares `found`, for each stream the rows that a client holds (the record's columns, then _seq and _observed_at as text),
    with the mirror. Without `json_as_text`, JSON is what Python's json module makes of it. Returns how many rows are equal;
    raises AssertionError at the first that isn't."""
    count = 0
    for stream, columns in STREAMS.items():
        wanted, got = rows(world, stream), {row[0]: tuple(row) for row in found[stream]}
        assert len(got) == len(found[stream]), f"{stream}: an id stands there twice"
        missing, surplus = wanted.keys() - got.keys(), got.keys() - wanted.keys()
        assert not missing and not surplus, f"{stream}: {len(missing)} are missing, {len(surplus)} are too many"
        for key, row in wanted.items():
            assert len(got[key]) == len(row), f"{stream} {key!r}: {len(got[key])} values, not {len(row)}"
            for column, value, other in zip([*columns, "_seq", "_observed_at"], row, got[key]):
                assert equal(column, value, other, json_as_text), f"{stream} {key!r} {column}: {value!r}, not {other!r}"
            count += 1
    return count


def digest(rows):
    """The sum of a hash of every field of rows of a stream, each with its place in the row and the row's id."""
    fields = ((row[0], place, value) for row in rows for place, value in enumerate(row))
    return sum(int.from_bytes(hashlib.blake2b(repr(field).encode(), digest_size=8).digest()) for field in fields) % 2**64


def equal(column, value, other, json_as_text):
    if value is None or other is None or column not in JSON:
        # 1 == True and 1 == 1.0 in Python.
        return without_nul(value) == other and type(value) is type(other)
    meaning = portable(parsed(value))
    if not json_as_text:
        return plain(meaning) == json.loads(other)
    return value == other if meaning == parsed(value) else meaning == parsed(other)


def without_nul(value):
    return value.replace("\0", "") if isinstance(value, str) else value


def parsed(text):
    """JSON with every number's digits, and objects as pairs in their order, so that repeated names count."""
    number = lambda digits: ("number", digits)
    pairs = lambda members: ("object", *(("member", *member) for member in members))
    return frozen(json.loads(text, parse_int=number, parse_float=number, object_pairs_hook=pairs))


def frozen(value):
    if isinstance(value, list):
        return ("array", *map(frozen, value))
    return tuple(map(frozen, value)) if isinstance(value, tuple) else value


def portable(value):
    """A value as the exports write it, without those that are nested deeper than 120 levels."""
    if isinstance(value, tuple) and value[0] == "number":
        return value if fits(value[1]) else value[1]
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in value if c != "\0")
    return (value[0], *map(portable, value[1:])) if isinstance(value, tuple) else value


def plain(value):
    """A value as Python's json module reads it."""
    if not isinstance(value, tuple):
        return value
    kind, *parts = value
    if kind == "number":
        return json.loads(parts[0])
    return [plain(part) for part in parts] if kind == "array" else {name: plain(part) for _, name, part in parts}


def fits(number):
    mantissa = number.lower().split("e")[0]
    whole = int(mantissa.split(".")[0])
    double = float(number)
    is_zero = not any(digit in "123456789" for digit in mantissa)
    return (-(2**63) <= whole < 2**64 and abs(double) != float("inf") and (double != 0 or is_zero)
            and len(number) <= 1000)
