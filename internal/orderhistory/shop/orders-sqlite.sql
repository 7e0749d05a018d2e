-- The lines of some customers' orders, a customer after the other.
SELECT o.customer_id, o.id AS order_id, o.ordered_at, i.item, i.quantity, i.unit_cents / 100.0 AS unit_price
FROM orders o
JOIN order_items i ON i.order_id = o.id
WHERE o.customer_id IN (SELECT CAST(value AS INTEGER) FROM json_each(@customers))
  AND o.ordered_at < @until
ORDER BY o.customer_id, o.ordered_at, o.id, i.line
