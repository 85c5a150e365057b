-- Version 4: what an answer is believed for. A list may lie: it may come from another account, or lose its end. What the
-- mirror needs to tell such a list from a true one in later runs stands here.

-- The account that this mirror belongs to; one row.
CREATE TABLE account (
    only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
    account_id    TEXT,  -- as GET /accounts/self names it; NULL: this API doesn't say
    doubted_since TEXT,  -- NULL: no doubt. Else nothing is inserted, deleted or exported until the account answers
                         -- again or `sync --accept-account` says that the new one is right
    doubt         TEXT   -- what raised the doubt
) STRICT;

INSERT INTO account (only_row) VALUES (1);

-- The events table gets `missing_since` and `missing_run`, and names its foreign key, so that tools that read the schema
-- link the tables. The key is not enforced: an event may be read before its customer's record can be. The view `freshness`
-- names the table, and comes back in version 7.
DROP VIEW freshness;

CREATE TABLE events_4 (
    id            TEXT PRIMARY KEY NOT NULL, -- the vendor's identifier, opaque
    customer_id   TEXT NOT NULL REFERENCES customers (id), -- in whose list the event stood
    type          TEXT,                      -- such as ShopifyOrderFulfilled
    label         TEXT,                      -- such as 'Order #1000 fulfilled'
    link_back_url TEXT,
    timestamp     INTEGER,                   -- Unix seconds
    properties    TEXT,                      -- JSON, as the API gave it; use json_extract() and ->>
    created_at    TEXT,                      -- at the vendor, as the API gave it
    updated_at    TEXT,                      -- at the vendor, as the API gave it
    extra         TEXT,                      -- JSON object of the fields that the documentation doesn't name, else NULL
    change_seq    INTEGER NOT NULL,          -- changes.seq of this row's newest change
    missing_since TEXT,                      -- when a complete walk of the customer's events first lacked it; NULL: the
                                             -- newest one listed it. It is deleted once a walk that begins at least
                                             -- sync.deletion_wait later, in another run, lacks it as well
    missing_run   INTEGER                    -- sync_runs.id of the newest run whose complete walk lacked it
) STRICT;

INSERT INTO events_4 (rowid, id, customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at,
                      extra, change_seq)
SELECT rowid, id, customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at, extra, change_seq
FROM events ORDER BY rowid;

DROP TABLE events;
ALTER TABLE events_4 RENAME TO events;

CREATE INDEX events_of_customer ON events (customer_id, timestamp);

-- Few events are missing at any time; they are counted and gone through often.
CREATE INDEX events_missing ON events (missing_since) WHERE missing_since IS NOT NULL;

-- Event lists that had more than one page. One that ends early, just where a page ends, may have lost its way on.
CREATE TABLE event_lists (
    customer_id TEXT PRIMARY KEY NOT NULL,
    pages       INTEGER NOT NULL,  -- of the newest complete walk that was believed
    page_rows   INTEGER NOT NULL,  -- events on its largest page
    short_since TEXT               -- since when the list ends before that many pages, with a full page or with nothing
                                   -- at all; such a walk proves no event missing. NULL: it doesn't
) STRICT;

ALTER TABLE sync_runs ADD COLUMN events_missing INTEGER NOT NULL DEFAULT 0; -- marked with missing_since at the run's end
