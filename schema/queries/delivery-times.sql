-- Hours from an order's fulfilment to the delivery of its parcels, by carrier and month of the delivery
-- :since  only parcels that were delivered from this day or time on [default: all]
SELECT substr(delivered_at, 1, 7) AS month, carrier, count(*) AS parcels,
       round(avg(hours_fulfilled_to_delivered), 1) AS mean_hours,
       min(hours_fulfilled_to_delivered) AS least_hours, max(hours_fulfilled_to_delivered) AS most_hours
FROM shipments WHERE delivered_at >= coalesce(:since, '') AND NOT is_return
GROUP BY month, carrier ORDER BY month, carrier
