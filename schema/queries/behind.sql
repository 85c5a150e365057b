-- Customers whose events may have changed since they were last read
SELECT id, events_checked_at, failed_at, error FROM customer_summary
LEFT JOIN event_failures ON customer_id = id
WHERE is_behind ORDER BY events_checked_at
