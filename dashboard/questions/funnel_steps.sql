-- Different users who reached each step in the stretch, each counted with the best of their days; and the median time
-- from the step before.
-- keep: 10 s
-- slow
WITH people AS (
    SELECT
        user_id,
        argMax(step_times, furthest_step) AS times,
        length(times) AS furthest,
        any(step_names) AS names,
        any(is_ordered) AS has_order
    FROM marts.fct_funnel_user
    WHERE funnel = {funnel:String} AND NOT is_bot
        AND entry_date >= toDate({since:DateTime('UTC')}) AND entry_date <= toDate({until:DateTime('UTC')})
        AND ({any_device:UInt8} OR device_type = {device:String})
        AND ({any_country:UInt8} OR breakdown_value = {country:String})
    GROUP BY user_id
)
SELECT
    step,
    if(any(has_order), any(names)[step], concat('any ', toString(step))) AS name,
    countIf(furthest >= step) AS users,
    if(count() = 0, NULL, users / count()) AS of_first,
    if(countIf(furthest >= step - 1) = 0, NULL, users / countIf(furthest >= step - 1)) AS of_previous,
    if(step = 1 OR users = 0, NULL, quantileExactInclusiveIf(0.5)(
        dateDiff('microsecond', times[step - 1], times[step]), step > 1 AND furthest >= step) / 1e6) AS median_seconds,
    countIf(furthest = step) AS stopped
FROM people
ARRAY JOIN arrayEnumerate(names) AS step
GROUP BY step
ORDER BY step
