-- Version 11: tables in which a row is stored under the number of the change that inserted it. The row then is that
-- change's line in the log, new rows go to the end of their table, and the version that a change ends is kept.
--
-- The tables are filled beside the old ones, step by step, while the old ones can still be read; version 12 puts them in
-- their place. A mirror of this version is being moved: the next run goes on with it.

CREATE TABLE customers_11 (
    id           TEXT NOT NULL,              -- the vendor's identifier, opaque; unique
    email        TEXT,
    first_name   TEXT,
    last_name    TEXT,
    phone_number TEXT,                       -- in no documented form
    created_at   TEXT,                       -- at the vendor, as the API gave it
    updated_at   TEXT,                       -- at the vendor, as the API gave it
    extra        TEXT,                       -- JSON object of the fields that the documentation doesn't name, else NULL
    inserted_seq INTEGER PRIMARY KEY,        -- changes.seq of the change that inserted the row
    inserted_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), -- when the mirror took that change
    inserted_run INTEGER NOT NULL DEFAULT 0, -- sync_runs.id of the run that did; that row goes when it is old
    change_seq   INTEGER NOT NULL,           -- changes.seq of this row's newest change
    events_checked_at TEXT                   -- when this customer's events were last read to their end;
                                             -- NULL: the next run is to read them, as of a new or changed customer
) STRICT;

CREATE TABLE events_11 (
    id            TEXT NOT NULL,             -- the vendor's identifier, opaque; unique
    customer_id   TEXT NOT NULL REFERENCES customers (id), -- in whose list the event stood
    type          TEXT,                      -- such as ShopifyOrderFulfilled
    label         TEXT,                      -- such as 'Order #1000 fulfilled'
    link_back_url TEXT,
    timestamp     INTEGER,                   -- Unix seconds
    properties    TEXT,                      -- JSON, as the API gave it; use json_extract() and ->>
    created_at    TEXT,                      -- at the vendor, as the API gave it
    updated_at    TEXT,                      -- at the vendor, as the API gave it
    extra         TEXT,                      -- JSON object of the fields that the documentation doesn't name, else NULL
    inserted_seq  INTEGER PRIMARY KEY,       -- changes.seq of the change that inserted the row
    inserted_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), -- when the mirror took that change
    inserted_run  INTEGER NOT NULL DEFAULT 0, -- sync_runs.id of the run that did; that row goes when it is old
    change_seq    INTEGER NOT NULL,          -- changes.seq of this row's newest change
    missing_since TEXT,                      -- when a complete walk of the customer's events first lacked it; NULL: the
                                             -- newest one listed it. It is deleted once a walk that begins at least
                                             -- sync.deletion_wait later, in another run, lacks it as well
    missing_run   INTEGER                    -- sync_runs.id of the newest run whose complete walk lacked it
) STRICT;

-- The lines of the change log, but for the inserts of rows that are there: those rows are their lines. The view `changes`
-- has all of them. Lines are added and never changed; the insert of a row that is deleted is added together with its delete.
CREATE TABLE change_log (
    seq         INTEGER PRIMARY KEY,         -- never reused
    stream      TEXT NOT NULL,               -- 'customers' or 'events'
    op          TEXT NOT NULL,               -- 'insert', 'update' or 'delete'
    id          TEXT NOT NULL,               -- of the row in the stream's table
    observed_at TEXT NOT NULL,               -- when the mirror took the change
    run_id      INTEGER NOT NULL,            -- sync_runs.id; that row goes when it is old, the change stays
    evidence    TEXT,                        -- for a delete: what proved it
    customer_id TEXT                         -- of a deleted event: whose it was; NULL on all other lines, and on those of
                                             -- events that were deleted before version 6
) STRICT;

-- Versions of customers that a change has ended, as they stood until then. The view `customers_history` has these and the
-- current ones. A version that ended at change n is the one before the version that began at change n.
CREATE TABLE customers_superseded (
    end_seq      INTEGER PRIMARY KEY,        -- the change that ended it
    seq          INTEGER NOT NULL,           -- the change that began it
    inserted_seq INTEGER NOT NULL,           -- the change that inserted the row
    valid_from   TEXT NOT NULL,              -- when the mirror took the change that began it
    id           TEXT NOT NULL,              -- this and the rest: as in customers
    email        TEXT,
    first_name   TEXT,
    last_name    TEXT,
    phone_number TEXT,
    created_at   TEXT,
    updated_at   TEXT,
    extra        TEXT
) STRICT;

-- The same for events.
CREATE TABLE events_superseded (
    end_seq       INTEGER PRIMARY KEY,       -- the change that ended it
    seq           INTEGER NOT NULL,          -- the change that began it
    inserted_seq  INTEGER NOT NULL,          -- the change that inserted the row
    valid_from    TEXT NOT NULL,             -- when the mirror took the change that began it
    id            TEXT NOT NULL,             -- this and the rest: as in events
    customer_id   TEXT NOT NULL,
    type          TEXT,
    label         TEXT,
    link_back_url TEXT,
    timestamp     INTEGER,
    properties    TEXT,
    created_at    TEXT,
    updated_at    TEXT,
    extra         TEXT
) STRICT;

-- How far back the superseded versions of each stream reach: every state of the stream from change `from_seq` on is known.
CREATE TABLE history_reach (
    stream     TEXT PRIMARY KEY NOT NULL,    -- 'customers' or 'events'
    from_seq   INTEGER NOT NULL,             -- 0: to the beginning
    pruned     INTEGER NOT NULL DEFAULT 0,   -- versions that were removed for their age (mirror.history_max_age)
    pruned_at  TEXT                          -- when some last were; NULL: never
) STRICT;

-- A mirror that has changes already didn't keep what they ended: its history begins with the present.
INSERT INTO history_reach (stream, from_seq)
SELECT stream, coalesce((SELECT max(seq) FROM changes), 0) FROM stream_totals;

-- What the move needs: the newest delete of each id, after which an insert is of a row that may be there now; and how far
-- it got.
CREATE TABLE deleted_11 (
    stream TEXT NOT NULL,
    id     TEXT NOT NULL,
    seq    INTEGER NOT NULL,                 -- changes.seq of the newest delete
    PRIMARY KEY (stream, id)
) STRICT, WITHOUT ROWID;
INSERT INTO deleted_11 SELECT stream, id, max(seq) FROM changes WHERE op = 'delete' GROUP BY stream, id;

INSERT INTO meta (key, value) VALUES ('moved_through', '0'); -- changes.seq up to which the new tables are filled

-- Checkpoints name rows by their old numbers: an interrupted walk begins again.
DELETE FROM checkpoints;
