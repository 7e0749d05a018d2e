-- Who may be sent a file: everybody who has ordered before @until.
SELECT c.id AS customer_id, c.phone, c.name,
       max(o.ordered_at) AS last_order_at, count(*) AS orders
FROM customers c
JOIN orders o ON o.customer_id = c.id
WHERE o.ordered_at < @until
GROUP BY c.id, c.phone, c.name
ORDER BY c.id
