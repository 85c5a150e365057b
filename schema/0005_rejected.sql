-- Version 5: records that were taken with a repair, and records that are known not to be usable.
--
-- `rejected` holds, besides the records that could not be taken, those that were taken although a documented field could
-- not be taken as it stands, such as a name with half of an emoji ("\ud83d" in JSON, which no text can hold; the column
-- has U+FFFD in its place). `properties` and `extra` are JSON text and keep such escapes as they are: json_extract() and
-- ->> turn one into bytes that are not UTF-8, so select the JSON (->) where that may happen.

ALTER TABLE rejected ADD COLUMN outcome TEXT NOT NULL DEFAULT 'rejected' -- 'rejected': not in the mirror, or in an earlier version
    CHECK (outcome IN ('rejected', 'taken'));                            -- 'taken': in the mirror, repaired as `reason` says
ALTER TABLE rejected ADD COLUMN last_seen_at TEXT;  -- when the API last gave it; NULL: not since version 5
ALTER TABLE rejected ADD COLUMN told_at TEXT;       -- when a run first told of it; from then on it keeps no run from being 'ok'

CREATE INDEX rejected_of_list ON rejected (stream, customer_id);
CREATE INDEX rejected_of_run ON rejected (run_id, outcome, told_at);
CREATE INDEX rejected_untold ON rejected (outcome) WHERE told_at IS NULL;

ALTER TABLE sync_runs ADD COLUMN repaired INTEGER NOT NULL DEFAULT 0; -- records that were taken with a repair: see rejected
