-- Version 9: what to do about a run's error stands in a column of its own. Until now it stood at the end of the error.

ALTER TABLE sync_runs ADD COLUMN what_to_do TEXT; -- what to do about `error`, where that doesn't say so itself; else NULL

UPDATE sync_runs
SET what_to_do = substr(error, instr(error, '; what to do: ') + length('; what to do: ')),
    error      = substr(error, 1, instr(error, '; what to do: ') - 1)
WHERE instr(error, '; what to do: ') > 0;
