-- Countries that were seen, those with the most users first.
-- keep: 60 s
SELECT last_country AS value FROM marts.fct_user GROUP BY value ORDER BY count() DESC, value LIMIT 100
