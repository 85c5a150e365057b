-- Customers whose e-mail address was changed, the newest change first
-- :since  only changes from this day or time on [default: all]
SELECT observed_at, id, old_value AS old_email, new_value AS new_email FROM field_changes
WHERE stream = 'customers' AND column_name = 'email' AND observed_at >= coalesce(:since, '')
ORDER BY seq DESC
