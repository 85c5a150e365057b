-- Customers that were deleted, as they last stood, with what proved it
-- :since  only those that were deleted from this day or time on [default: seven days ago]
SELECT deleted_at, id, first_name, last_name, email, evidence FROM customers_deleted
WHERE deleted_at >= coalesce(:since, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days'))
ORDER BY deleted_at DESC
