-- All metrics of the chosen experiment at its newest look.
-- keep: 10 s
SELECT
    experiment_variation, metric, is_primary, users, mean, control_mean, difference, anytime_low, anytime_high,
    lift, anytime_lift_low, anytime_lift_high, anytime_p_adjusted, cuped_difference, guardrail_crossed
FROM marts.experiment_results
WHERE experiment_name = {experiment:String}
ORDER BY experiment_variation, is_primary DESC, metric
LIMIT 200
