-- Kinds of device that were seen.
-- keep: 60 s
SELECT DISTINCT last_device AS value FROM marts.fct_user ORDER BY value LIMIT 50
