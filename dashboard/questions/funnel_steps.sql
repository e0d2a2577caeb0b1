-- Different users who reached each step in the stretch, each counted with the best of their days; and the median time
-- from the step before.
-- keep: 10 s
-- slow
WITH attempts AS (
    SELECT user_id, furthest_step, step_names, step_times, is_ordered
    FROM marts.fct_funnel_user
    WHERE funnel = {funnel:String} AND NOT is_bot
        AND entry_date >= toDate({since:DateTime('UTC')}) AND entry_date <= toDate({until:DateTime('UTC')})
        AND ({any_device:UInt8} OR device_type = {device:String})
        AND ({any_country:UInt8} OR breakdown_value = {country:String})
),
people AS (
    SELECT user_id, argMax((furthest_step, step_names, step_times, is_ordered), furthest_step) AS best
    FROM attempts
    GROUP BY user_id
)
SELECT
    step,
    if(any(best.4), any(best.2)[step], concat('any ', toString(step))) AS name,
    countIf(best.1 >= step) AS users,
    if(count() = 0, NULL, users / count()) AS of_first,
    if(countIf(best.1 >= step - 1) = 0, NULL, users / countIf(best.1 >= step - 1)) AS of_previous,
    if(step = 1 OR users = 0, NULL, quantileExactInclusiveIf(0.5)(
        dateDiff('microsecond', best.3[step - 1], best.3[step]), step > 1 AND best.1 >= step) / 1e6) AS median_seconds,
    countIf(best.1 = step) AS stopped
FROM people
ARRAY JOIN arrayEnumerate(best.2) AS step
GROUP BY step
ORDER BY step
