-- Version 13: what the planner of looks at customers' events knows. A look is one reading of a customer's list of events.

-- What the last look found. Times are the server's, in seconds since 1970.
ALTER TABLE customers ADD COLUMN events_looked_at INTEGER; -- when it was; NULL: there was none yet since this version
ALTER TABLE customers ADD COLUMN newest_event TEXT;        -- the kind of the newest event, as in event_rates; 'none': it
                                                           -- found no event
ALTER TABLE customers ADD COLUMN newest_event_at INTEGER;  -- when that event came; without any, when the customer was created

-- How often events come, by the state of a customer: the kind of the newest event, and how long ago it came. Learned from
-- every look.
CREATE TABLE event_rates (
    state         TEXT PRIMARY KEY NOT NULL, -- such as 'InTransit/in_transit, 6h to 12h'
    looks         INTEGER NOT NULL,          -- at customers in this state, from their second look on
    hits          INTEGER NOT NULL,          -- of these, looks that found new events
    events        REAL NOT NULL,             -- that came to customers in this state; older ones count less and less
    exposure_days REAL NOT NULL,             -- for how long customers were in this state; longer ago counts less and less
    per_day       REAL NOT NULL,             -- events a day that are expected of a customer in this state
    kind          TEXT NOT NULL,             -- type of the newest event/status of its shipment, (and how often the customer
                                             -- had come back after a pause by then)
    age           INTEGER NOT NULL           -- the place of the span of time, from 0 on
) STRICT;

-- What calls for looks, and what came of it.
CREATE TABLE look_signals (
    signal       TEXT PRIMARY KEY NOT NULL,  -- 'new', 'changed' (a customer's record is), 'pending' (left by an earlier run),
                                             -- 'full' (a full sync), 'asked' (sync --customer), 'pushed' (a webhook),
                                             -- 'turn' (sync.events_max_age), 'expected' (sync.event_budget)
    looks        INTEGER NOT NULL,
    hits         INTEGER NOT NULL,           -- of these, looks that found new events
    events       INTEGER NOT NULL,           -- new events that they found
    last_look_at TEXT NOT NULL
) STRICT;

-- For how long new events had been at the vendor when the mirror took them, by day. Those that a customer's first look finds
-- are not counted.
CREATE TABLE unseen_times (
    day             TEXT NOT NULL,           -- UTC
    at_most_seconds INTEGER NOT NULL,        -- the upper bound of the span of time; 9223372036854775807: no bound
    events          INTEGER NOT NULL,
    seconds         INTEGER NOT NULL,        -- all of them together
    PRIMARY KEY (day, at_most_seconds)
) STRICT;

-- How current each stream is: its rows, its newest change, and the last complete runs. Of events also for how long those of
-- the last seven days had been at the vendor when the mirror took them: the mean, and what 95 % of them stayed below (the
-- upper bound of a span).
DROP VIEW freshness;
CREATE VIEW freshness AS
WITH lately AS (
    SELECT at_most_seconds, sum(events) AS events, sum(seconds) AS seconds FROM unseen_times
    WHERE day > date('now', '-7 days') GROUP BY at_most_seconds
), spans AS (
    SELECT at_most_seconds, sum(events) OVER (ORDER BY at_most_seconds) AS up_to, sum(events) OVER () AS events FROM lately
)
SELECT stream,
       row_count,
       last_change_seq,
       (SELECT max(finished_at) FROM sync_runs WHERE outcome = 'ok' AND mode IN ('incremental', 'full')) AS last_sync_ok_at,
       (SELECT max(finished_at) FROM sync_runs WHERE outcome = 'ok' AND mode = 'full') AS last_full_ok_at,
       CASE stream WHEN 'events' THEN (SELECT round(1.0 * sum(seconds) / sum(events)) FROM lately) END AS unseen_mean_seconds,
       CASE stream WHEN 'events' THEN (SELECT min(at_most_seconds) FROM spans WHERE up_to >= 0.95 * events)
       END AS unseen_p95_seconds
FROM stream_totals;
