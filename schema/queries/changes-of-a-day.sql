-- What changed in the mirror on a day, by stream and operation
-- :at  the day, in UTC [default: yesterday]
SELECT day, stream, op, changes, first_seq, last_seq FROM change_days
WHERE day = coalesce(date(:at), date('now', '-1 day')) ORDER BY stream, op
