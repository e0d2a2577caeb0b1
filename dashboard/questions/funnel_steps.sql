-- Different users who reached each step in the stretch, each counted with the best of their days; and the median time
-- from the step before.
-- keep: 10 s
-- slow
WITH
    (SELECT (step_names, is_ordered) FROM marts.fct_funnel_user WHERE funnel = {funnel:String} LIMIT 1) AS definition,
    reached AS (
        SELECT
            step,
            count() AS users,
            quantileExactInclusiveIf(0.5)(pause, step > 1) / 1e6 AS median_seconds
        FROM (
            SELECT argMax(step_times, furthest_step) AS times
            FROM marts.fct_funnel_user
            WHERE funnel = {funnel:String} AND NOT is_bot
                AND entry_date >= toDate({since:DateTime('UTC')}) AND entry_date <= toDate({until:DateTime('UTC')})
                AND ({any_device:UInt8} OR device_type = {device:String})
                AND ({any_country:UInt8} OR breakdown_value = {country:String})
            GROUP BY user_id
        )
        ARRAY JOIN
            arrayEnumerate(times) AS step,
            arrayDifference(arrayMap(time -> toUnixTimestamp64Micro(time), times)) AS pause
        GROUP BY step
    )
SELECT
    step,
    if(definition.2, definition.1[step], concat('any ', toString(step))) AS name,
    reached.users AS users,
    users / first_value(users) OVER (ORDER BY step) AS of_first,
    if(step = 1, 1, users / nullIf(lagInFrame(users) OVER steps, 0)) AS of_previous,
    if(step = 1 OR users = 0, NULL, reached.median_seconds) AS median_seconds,
    users - leadInFrame(users) OVER steps AS stopped
FROM (SELECT arrayJoin(arrayEnumerate(definition.1)) AS step) AS all_steps
LEFT JOIN reached ON all_steps.step = reached.step
WINDOW steps AS (ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
QUALIFY max(users) OVER () > 0
ORDER BY step
