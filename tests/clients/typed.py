"""What typed files have beside the text of the API: columns that follow from others."""

import datetime
import re

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def microseconds(instant):
    """Since 1970."""
    if instant is None or isinstance(instant, int):
        return instant
    return (instant - EPOCH) // datetime.timedelta(microseconds=1)


def check(row):
    """What follows from other columns."""
    if "timestamp" in row:
        assert microseconds(row["occurred_at"]) == (row["timestamp"] and row["timestamp"] * 1_000_000), row
    for name in ("created_at", "updated_at"):
        found, given = microseconds(row[f"{name}_utc"]), row[name]
        if given is None:
            assert found is None, row
        elif re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", given):
            assert found == microseconds(datetime.datetime.fromisoformat(given)), row


def observed_at(row):
    """When the mirror took a row's change, in the mirror's own form."""
    at = EPOCH + datetime.timedelta(microseconds=microseconds(row["_observed_at"]))
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def records(rows, columns):
    """Rows in the form of `expected`."""
    for row in rows:
        check(row)
        yield (*(row[name] for name in [*columns, "_seq"]), observed_at(row))


def replayed(rows):
    """Of each record the newest change, unless that ends it; no change stands there twice."""
    assert len({row["_seq"] for row in rows}) == len(rows), "a change stands there twice"
    for row in rows:
        check(row)
    newest = {row["id"]: row for row in sorted(rows, key=lambda row: row["_seq"])}
    return [row for row in newest.values() if row["_op"] not in ("delete", "erase")]
