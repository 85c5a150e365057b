-- Version 10: what is noted about lists says of which stream it is, so that streams can be added without touching it.
-- `customer_id` is, in these tables, the id of the record whose children's list is meant: a customer's for events.

CREATE TABLE event_failures_10 (
    stream      TEXT NOT NULL,            -- the parents' stream: 'customers'
    customer_id TEXT NOT NULL,
    run_id      INTEGER NOT NULL,         -- the newest run that failed
    failed_at   TEXT NOT NULL,
    error       TEXT NOT NULL,
    PRIMARY KEY (stream, customer_id)
) STRICT;
INSERT INTO event_failures_10 SELECT 'customers', customer_id, run_id, failed_at, error FROM event_failures;
DROP TABLE event_failures;
ALTER TABLE event_failures_10 RENAME TO event_failures;

CREATE TABLE event_lists_10 (
    stream      TEXT NOT NULL,     -- the children's stream: 'events'
    customer_id TEXT NOT NULL,
    pages       INTEGER NOT NULL,  -- of the newest complete walk that was believed
    page_rows   INTEGER NOT NULL,  -- records on its largest page
    short_since TEXT,              -- since when the list ends before that many pages, with a full page or with nothing
                                   -- at all; such a walk proves no record missing. NULL: it doesn't
    PRIMARY KEY (stream, customer_id)
) STRICT;
INSERT INTO event_lists_10 SELECT 'events', customer_id, pages, page_rows, short_since FROM event_lists;
DROP TABLE event_lists;
ALTER TABLE event_lists_10 RENAME TO event_lists;

CREATE TABLE checkpoints_10 (
    stream     TEXT NOT NULL,             -- whose list is walked: 'customers'
    mode       TEXT NOT NULL,             -- 'full' or 'incremental'
    started_at TEXT NOT NULL,             -- when the walk began
    base_url   TEXT NOT NULL,             -- the API that was walked
    cursor     TEXT NOT NULL,             -- JSON: the request for the page after the last one stored
    pages      INTEGER NOT NULL,          -- stored so far
    customers  INTEGER NOT NULL,          -- records on them
    inserted   INTEGER NOT NULL,          -- of these, new to the mirror
    seen       BLOB NOT NULL,             -- bit n: the record with rowid n stood in the walk
    PRIMARY KEY (stream, mode)
) STRICT;
INSERT INTO checkpoints_10
    SELECT 'customers', mode, started_at, base_url, cursor, pages, customers, inserted, seen FROM checkpoints;
DROP TABLE checkpoints;
ALTER TABLE checkpoints_10 RENAME TO checkpoints;

CREATE TABLE list_marks_10 (
    stream      TEXT NOT NULL,                -- whose list it is: 'customers'
    page        INTEGER NOT NULL,             -- so many pages stood before it
    cursor      TEXT NOT NULL,                -- JSON: the request for the page behind those, as in checkpoints
    last_record INTEGER NOT NULL,             -- a hash of the record that stood last before it
    base_url    TEXT NOT NULL,                -- the API that gave it
    PRIMARY KEY (stream, page)
) STRICT;
INSERT INTO list_marks_10 SELECT 'customers', page, cursor, last_record, base_url FROM list_marks;
DROP TABLE list_marks;
ALTER TABLE list_marks_10 RENAME TO list_marks;
