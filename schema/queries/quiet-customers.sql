-- Customers without an event for some time, the quietest first
-- :days  for so many days at least [default: 90]
SELECT id, email, last_event_at, order_count FROM customer_summary
WHERE last_event_at IS NULL
   OR last_event_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || coalesce(:days, 90) || ' days')
ORDER BY last_event_at
