-- Orders a month, and what became of them
-- :since  only orders from this day or time on [default: all]
SELECT substr(coalesce(created_at, first_event_at), 1, 7) AS month, count(*) AS orders,
       count(fulfilled_at) AS fulfilled, count(delivered_at) AS delivered, count(returned_at) AS returned,
       sum(is_open) AS open, sum(issue_count > 0) AS with_issues
FROM orders WHERE coalesce(created_at, first_event_at) >= coalesce(:since, '') GROUP BY month ORDER BY month
