-- A customer as the mirror held it at some time
-- :id  the customer's id
-- :at  the day or time, in UTC [default: last Monday]
SELECT * FROM customers_history
WHERE id = :id AND valid_from <= coalesce(:at, date('now', '-6 days', 'weekday 1'))
  AND (valid_to IS NULL OR valid_to > coalesce(:at, date('now', '-6 days', 'weekday 1')))
