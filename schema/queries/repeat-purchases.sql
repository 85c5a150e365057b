-- How many customers have ordered more than once
-- :since  only orders from this day or time on [default: all]
-- :until  only orders before this day or time [default: all]
SELECT count(*) AS customers, sum(orders > 1) AS repeat_customers,
       round(100.0 * sum(orders > 1) / count(*), 1) AS repeat_percent
FROM (SELECT customer_id, count(*) AS orders FROM orders
      WHERE coalesce(created_at, first_event_at) >= coalesce(:since, '')
        AND coalesce(created_at, first_event_at) < coalesce(:until, 'z') GROUP BY customer_id)
