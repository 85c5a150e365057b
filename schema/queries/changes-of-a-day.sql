-- What changed in the mirror on a day, by stream and operation
-- :at  the day, in UTC [default: yesterday]
SELECT stream, op, count(*) AS changes, min(seq) AS first_seq, max(seq) AS last_seq FROM changes
WHERE observed_at >= coalesce(date(:at), date('now', '-1 day'))
  AND observed_at < date(coalesce(date(:at), date('now', '-1 day')), '+1 day')
GROUP BY stream, op ORDER BY stream, op
