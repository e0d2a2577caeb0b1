-- Categories of items.
-- keep: 60 s
SELECT DISTINCT item_category AS value FROM marts.fct_item ORDER BY value LIMIT 200
