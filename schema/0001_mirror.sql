-- The mirror of a Malomo account. Analysts: open this file's database read-only (`sqlite3 'file:mirror.db?mode=ro'`);
-- it can be read while a sync writes, and a read transaction sees one state from its first statement to its end.
--
-- `customers` and `events` hold what the API holds now. `changes` says how they came to hold it.
-- All times written by the mirror are UTC, ISO 8601, with milliseconds. Times of the API stand as the API gave them.

-- One row for each fact about the mirror itself.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,  -- 'mirror_id': names this mirror for ever; export manifests carry it
    value TEXT NOT NULL
) STRICT;

-- The account's customers. NULL: the API gave null or left the field out.
CREATE TABLE customers (
    id           TEXT PRIMARY KEY NOT NULL,  -- the vendor's identifier, opaque
    email        TEXT,
    first_name   TEXT,
    last_name    TEXT,
    phone_number TEXT,                       -- in no documented form
    created_at   TEXT,                       -- at the vendor, as the API gave it
    updated_at   TEXT,                       -- at the vendor, as the API gave it
    extra        TEXT,                       -- JSON object of the fields that the documentation doesn't name, else NULL
    change_seq   INTEGER NOT NULL,           -- changes.seq of this row's newest change
    events_checked_at TEXT                   -- when this customer's events were last read to their end;
                                             -- NULL: the next run is to read them, as of a new or changed customer
) STRICT;

-- The events of all customers. NULL: the API gave null or left the field out.
CREATE TABLE events (
    id            TEXT PRIMARY KEY NOT NULL, -- the vendor's identifier, opaque
    customer_id   TEXT NOT NULL,             -- customers.id: in whose list the event stood
    type          TEXT,                      -- such as ShopifyOrderFulfilled
    label         TEXT,                      -- such as 'Order #1000 fulfilled'
    link_back_url TEXT,
    timestamp     INTEGER,                   -- Unix seconds
    properties    TEXT,                      -- JSON, as the API gave it; use json_extract() and ->>
    created_at    TEXT,                      -- at the vendor, as the API gave it
    updated_at    TEXT,                      -- at the vendor, as the API gave it
    extra         TEXT,                      -- JSON object of the fields that the documentation doesn't name, else NULL
    change_seq    INTEGER NOT NULL           -- changes.seq of this row's newest change
) STRICT;

CREATE INDEX events_of_customer ON events (customer_id, timestamp);

-- The change log: one row for each insert, update or delete that reached the mirror, in order, never rewritten.
CREATE TABLE changes (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused
    stream      TEXT NOT NULL CHECK (stream IN ('customers', 'events')),
    op          TEXT NOT NULL CHECK (op IN ('insert', 'update', 'delete')),
    id          TEXT NOT NULL,                     -- of the row in the stream's table
    observed_at TEXT NOT NULL,                     -- when the mirror took the change
    run_id      INTEGER NOT NULL,                  -- sync_runs.id; that row goes when it is old, the change stays
    evidence    TEXT                               -- for a delete: what proved it
) STRICT;

-- One row for each sync run; old ones go (mirror.runs_max_age), and no number is given twice.
CREATE TABLE sync_runs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    mode        TEXT NOT NULL,                  -- 'full', 'incremental' or 'customers' (only named ones)
    started_at  TEXT NOT NULL,
    finished_at TEXT,                           -- NULL: under way, or cut off
    outcome     TEXT NOT NULL,                  -- 'running', 'ok', 'incomplete', 'failed', 'interrupted' (stopped or killed)
    resumed     INTEGER NOT NULL DEFAULT 0,     -- 1: went on where an interrupted walk of the customer list had stopped
    requests    INTEGER NOT NULL DEFAULT 0,     -- sent to the API, retries included
    retries     INTEGER NOT NULL DEFAULT 0,     -- requests sent again after a fault
    customer_pages     INTEGER NOT NULL DEFAULT 0,  -- pages of the customer list
    customers_seen     INTEGER NOT NULL DEFAULT 0,  -- rows on those pages
    customers_inserted INTEGER NOT NULL DEFAULT 0,
    customers_updated  INTEGER NOT NULL DEFAULT 0,
    customers_deleted  INTEGER NOT NULL DEFAULT 0,
    customers_stale    INTEGER NOT NULL DEFAULT 0,  -- listed with an older updated_at than the mirror's; not taken over
    customers_missing  INTEGER NOT NULL DEFAULT 0,  -- mirrored, but not in the walk
    event_walks        INTEGER NOT NULL DEFAULT 0,  -- customers whose events were read to their end
    event_walks_failed INTEGER NOT NULL DEFAULT 0,  -- customers whose events could not be read: see event_failures
    events_seen        INTEGER NOT NULL DEFAULT 0,
    events_inserted    INTEGER NOT NULL DEFAULT 0,
    events_updated     INTEGER NOT NULL DEFAULT 0,
    events_deleted     INTEGER NOT NULL DEFAULT 0,
    events_stale       INTEGER NOT NULL DEFAULT 0,
    rejected           INTEGER NOT NULL DEFAULT 0,  -- records that could not be taken: see rejected
    remarks     TEXT,                           -- JSON array of sentences: what a person should know of this run
    error       TEXT                            -- why it failed or is incomplete; then: what to do
) STRICT;

-- Where an interrupted walk of the customer list goes on. A row lives from a walk's first page to its end.
CREATE TABLE checkpoints (
    mode       TEXT PRIMARY KEY NOT NULL, -- 'full' or 'incremental'
    started_at TEXT NOT NULL,             -- when the walk began
    base_url   TEXT NOT NULL,             -- the API that was walked
    cursor     TEXT NOT NULL,             -- JSON: the request for the page after the last one stored
    pages      INTEGER NOT NULL,          -- stored so far
    customers  INTEGER NOT NULL,          -- rows on them
    inserted   INTEGER NOT NULL,          -- of these, new to the mirror
    seen       BLOB NOT NULL              -- bit n: the customer with rowid n stood in the walk
) STRICT;

-- What was found out about the API where its documentation is silent.
CREATE TABLE api_behaviour (
    stream      TEXT NOT NULL,            -- 'customers' or 'events'
    point       TEXT NOT NULL,            -- 'token_style' or 'forward'
    value       TEXT NOT NULL,
    evidence    TEXT NOT NULL,            -- what showed it
    base_url    TEXT NOT NULL,            -- where it was seen
    detected_at TEXT NOT NULL,
    PRIMARY KEY (stream, point)
) STRICT;

-- Customers whose events could not be read; they are tried again in every run until they can.
CREATE TABLE event_failures (
    customer_id TEXT PRIMARY KEY NOT NULL,
    run_id      INTEGER NOT NULL,         -- the newest run that failed
    failed_at   TEXT NOT NULL,
    error       TEXT NOT NULL
) STRICT;

-- Records of the API that could not be taken, with their raw text; gone once the API gives them in a usable form.
CREATE TABLE rejected (
    digest      TEXT PRIMARY KEY NOT NULL, -- SHA-256 over stream, customer_id and raw
    stream      TEXT NOT NULL,
    customer_id TEXT,                      -- in whose event list it stood
    record_id   TEXT,                      -- its id, where it has one
    reason      TEXT NOT NULL,
    raw         TEXT NOT NULL,             -- the record as the API gave it
    first_seen_at TEXT NOT NULL,
    run_id      INTEGER NOT NULL           -- the newest run that met it
) STRICT;

-- The export files that were published, as the manifest has them.
CREATE TABLE export_files (
    stream     TEXT NOT NULL,
    format     TEXT NOT NULL,
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    path       TEXT NOT NULL,              -- below the export folder
    rows       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (stream, format, first_seq)
) STRICT;

-- How current each stream is: its rows, its newest change, and the last complete runs.
CREATE VIEW freshness AS
SELECT s.stream,
       s.row_count,
       (SELECT c.seq FROM changes c WHERE c.stream = s.stream ORDER BY c.seq DESC LIMIT 1) AS last_change_seq,
       (SELECT max(finished_at) FROM sync_runs WHERE outcome = 'ok' AND mode IN ('incremental', 'full')) AS last_sync_ok_at,
       (SELECT max(finished_at) FROM sync_runs WHERE outcome = 'ok' AND mode = 'full') AS last_full_ok_at
FROM (SELECT 'customers' AS stream, (SELECT count(*) FROM customers) AS row_count
      UNION ALL
      SELECT 'events', (SELECT count(*) FROM events)) AS s;
