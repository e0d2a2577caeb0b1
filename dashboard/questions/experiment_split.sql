-- Who saw which variation: the split, against the planned one, and what users of each did after it.
-- keep: 10 s
SELECT
    arms.experiment_variation AS variation,
    arms.exposed_users AS users,
    arms.exposed_users / (SELECT sum(exposed_users) FROM marts.fct_experiment WHERE experiment_name = {experiment:String}) AS share,
    arms.converted_users AS converted,
    if(users = 0, NULL, converted / users) AS conversion,
    if(users = 0, NULL, toFloat64(arms.revenue) / users) AS revenue_each,
    arms.mixed_users AS mixed,
    arms.bot_users AS bots,
    arms.first_exposure_at AS first_at,
    arms.last_exposure_at AS last_at,
    looks.planned AS planned,
    looks.flagged AS flagged,
    looks.split_p AS split_p,
    looks.segments AS segments,
    looks.off_since AS off_since
FROM marts.fct_experiment AS arms
LEFT JOIN (
    SELECT
        experiment_name, any(planned_shares) AS planned, max(srm_flagged) AS flagged, min(srm_anytime_p) AS split_p,
        any(srm_segments) AS segments, any(srm_start_hour) AS off_since
    FROM marts.experiment_results
    GROUP BY experiment_name
) AS looks ON arms.experiment_name = looks.experiment_name
WHERE arms.experiment_name = {experiment:String}
ORDER BY variation
LIMIT 100
