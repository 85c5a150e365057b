-- Version 2: audits. An audit re-reads customers, drawn at random out of the mirror at the end of a run, one by one from
-- the API, with their events, and compares. It tells how far the mirror can be relied on; it can't tell of customers that
-- only the API holds: that is what the walk of the whole customer list is for.

-- One row for each audit. "Differ" and all counts of what differs speak of the mirror as the run had left it; what
-- could be put right was put right afterwards, and stands in `changes` under the run's number.
CREATE TABLE audits (
    run_id        INTEGER PRIMARY KEY NOT NULL, -- sync_runs.id: the run at whose end it took place
    finished_at   TEXT NOT NULL,
    changed_since TEXT NOT NULL,     -- by the API's clock: what was changed there from then on counts as changed since
    seed          INTEGER NOT NULL,  -- of the sample; the same seed draws the same customers from the same mirror
    population    INTEGER NOT NULL,  -- customers in the mirror
    sampled       INTEGER NOT NULL,  -- of these, drawn
    audited       INTEGER NOT NULL,  -- of these, read to their end and compared; the others could not be
    drifted       INTEGER NOT NULL,  -- of these, differing in what the run should have seen
    lagging       INTEGER NOT NULL,  -- of the audited, differing only in what changed at the API since the run read it
    events_compared      INTEGER NOT NULL,
    customers_differing  INTEGER NOT NULL, -- drift: records with other content than the API's
    customers_surplus    INTEGER NOT NULL, -- drift: records that the API doesn't have
    events_missing       INTEGER NOT NULL, -- drift: records that the mirror doesn't have
    events_differing     INTEGER NOT NULL, -- drift, as above
    events_surplus       INTEGER NOT NULL, -- drift, as above
    undocumented_only    INTEGER NOT NULL, -- customers whose answer alone differs from the list's, which the mirror holds,
                                           -- in undocumented fields only: the API's way, no drift
    upper_bound   INTEGER NOT NULL,  -- with `confidence`, at most so many customers of the population differ
    confidence    REAL NOT NULL,     -- such as 0.95
    drift_limit   REAL NOT NULL      -- sync.drift_limit: a larger share of drifted customers made the run incomplete
) STRICT;

-- The records that differed, the first thousand of each audit. Identifiers only.
CREATE TABLE audit_findings (
    run_id      INTEGER NOT NULL,    -- audits.run_id
    stream      TEXT NOT NULL,       -- 'customers' or 'events'
    id          TEXT NOT NULL,       -- of the record
    customer_id TEXT NOT NULL,       -- whose audit found it
    kind        TEXT NOT NULL,       -- 'missing' in the mirror, 'differing', or 'surplus' (not at the API)
    standing    TEXT NOT NULL,       -- 'drift', or 'changed_since': at the API, while or after the run read it
    PRIMARY KEY (run_id, stream, id)
) STRICT;
