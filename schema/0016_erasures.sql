-- Version 16: persons who were erased, because they asked the shop to forget them. What the mirror keeps of them is told by
-- no table: tokens stand in the place of what named them. A token is an HMAC-SHA256, in hex, under the key in the file
-- MIRROR.erasure-key, so that nobody without that file can try out whose it is.

-- One row for each erasure. Its receipt, MIRROR.receipts/erasure-NUMBER.json, says the same and more.
CREATE TABLE erasures (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    requested_at TEXT NOT NULL,             -- when the mirror forgot the persons
    ended_at     TEXT,                      -- when nothing of them was left in exports and in the mirror's own file; NULL: an
                                            -- erasure that was cut off, which the next `erase` or export ends
    reason       TEXT,                      -- as given
    persons      INTEGER NOT NULL,          -- customers that were erased
    changes      INTEGER NOT NULL,          -- lines of the change log that became `erase`
    found        TEXT NOT NULL              -- JSON: for the receipt. What was asked as tokens; records and bytes by table
) STRICT;

-- Who must not come back, until `erase --allow-return`.
CREATE TABLE tombstones (
    kind        TEXT NOT NULL,              -- what the token stands for: 'id', 'email' or 'phone_number' of a customer
    token       TEXT NOT NULL,
    person      TEXT NOT NULL,              -- the token of the customer's id, or of what was asked for where there was no
                                            -- such customer: a person's tombstones go together
    erasure_id  INTEGER NOT NULL,           -- erasures.id
    kept_out    INTEGER NOT NULL DEFAULT 0, -- how often the API's list brought such a customer since
    kept_out_at TEXT,                       -- when it last did; NULL: never
    PRIMARY KEY (kind, token)
) STRICT;

-- The changes whose rows were erased: whoever has loaded exports finds the rows to remove by these numbers.
CREATE TABLE erased_changes (
    seq        INTEGER PRIMARY KEY,         -- changes.seq, and _seq in exports
    stream     TEXT NOT NULL,               -- 'customers' or 'events'
    token      TEXT NOT NULL,               -- 'hmac:' and the token of the record's id, which stands in the log for it
    erasure_id INTEGER NOT NULL             -- erasures.id
) STRICT;
CREATE INDEX erased_changes_of_erasure ON erased_changes (erasure_id, stream, seq);

-- `change_log.op` may be 'erase' from now on: a change of a record of an erased person, whatever it was. Its `id` and
-- `customer_id` are tokens, its row is gone.
ALTER TABLE sync_runs ADD COLUMN kept_out INTEGER NOT NULL DEFAULT 0; -- customers that were not taken: see tombstones
