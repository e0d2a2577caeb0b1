-- The verdict on each variation of each experiment, in the metric that decides.
-- keep: 10 s
SELECT
    experiment_name, experiment_variation, control_variation, metric, verdict, reason, users, control_users,
    lift, anytime_lift_low, anytime_lift_high, anytime_p_adjusted, srm_flagged, computed_at
FROM marts.experiment_results
WHERE is_primary OR is_primary IS NULL
ORDER BY experiment_name, experiment_variation
LIMIT 200
