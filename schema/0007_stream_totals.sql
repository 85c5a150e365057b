-- Version 7: what each stream's table holds, kept up to date by every transaction that changes it, so that nobody has to
-- count a whole table or search the change log to know it. (Whoever edits `customers` or `events` by hand makes them
-- untrue until the next full sync or audit counts anew.)

CREATE TABLE stream_totals (
    stream          TEXT PRIMARY KEY NOT NULL, -- 'customers' or 'events'
    row_count       INTEGER NOT NULL,          -- rows of that table
    last_change_seq INTEGER                    -- changes.seq of the stream's newest change; NULL: there is none yet
) STRICT;

INSERT INTO stream_totals (stream, row_count, last_change_seq)
VALUES ('customers', (SELECT count(*) FROM customers), (SELECT max(seq) FROM changes WHERE stream = 'customers')),
       ('events', (SELECT count(*) FROM events), (SELECT max(seq) FROM changes WHERE stream = 'events'));

-- How current each stream is: its rows, its newest change, and the last complete runs. The same columns as before.
CREATE VIEW freshness AS
SELECT stream,
       row_count,
       last_change_seq,
       (SELECT max(finished_at) FROM sync_runs WHERE outcome = 'ok' AND mode IN ('incremental', 'full')) AS last_sync_ok_at,
       (SELECT max(finished_at) FROM sync_runs WHERE outcome = 'ok' AND mode = 'full') AS last_full_ok_at
FROM stream_totals;
