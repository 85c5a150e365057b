-- Version 17: what has been kept for long enough goes by rule (`[retention]`), in an erasure without persons: see `erasures`.
-- Nothing is remembered of it; a sync judges by the same rule what it meets and the mirror lacks.
ALTER TABLE sync_runs ADD COLUMN expired INTEGER NOT NULL DEFAULT 0; -- listed records that the mirror lacks and that were not
                                                                     -- taken, because they have expired

-- Of an earlier version that was forgotten for its age: the change that ended it. Its record stays, and so does its line in
-- the log; `token` stands for the record's id all the same. NULL: the record was erased, with its line.
ALTER TABLE erased_changes ADD COLUMN ended_by INTEGER; -- changes.seq
