-- How the difference and its always-valid interval went, hour by hour, in the chosen metric or the one that decides.
-- keep: 10 s
SELECT experiment_variation, metric, computed_hour, difference, anytime_low, anytime_high, users
FROM marts.experiment_results_hourly
WHERE experiment_name = {experiment:String}
    AND if({any_metric:UInt8}, ifNull(is_primary, false), metric = {metric:String})
ORDER BY experiment_variation, computed_hour
LIMIT 5000
