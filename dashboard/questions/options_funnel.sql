-- The funnels that are defined.
-- keep: 60 s
SELECT DISTINCT funnel AS value FROM marts.fct_funnel_user ORDER BY value LIMIT 100
