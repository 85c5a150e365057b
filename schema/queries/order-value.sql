-- The value of orders, by month and currency
-- :since  only orders from this day or time on [default: all]
SELECT substr(coalesce(created_at, first_event_at), 1, 7) AS month, currency, count(total_price) AS orders,
       round(sum(total_price), 2) AS total, round(avg(total_price), 2) AS mean
FROM orders WHERE coalesce(created_at, first_event_at) >= coalesce(:since, '')
GROUP BY month, currency ORDER BY month, currency
