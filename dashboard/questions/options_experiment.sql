-- The experiments that were seen.
-- keep: 60 s
SELECT DISTINCT experiment_name AS value FROM marts.fct_experiment ORDER BY value LIMIT 200
