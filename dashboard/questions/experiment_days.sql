-- Users by the UTC day on which they first saw the experiment, by variation.
-- keep: 10 s
SELECT experiment_variation, exposure_date, exposed_users, if(exposed_users = 0, NULL, converted_users / exposed_users) AS conversion
FROM marts.fct_experiment_daily
WHERE experiment_name = {experiment:String}
ORDER BY experiment_variation, exposure_date
LIMIT 5000
