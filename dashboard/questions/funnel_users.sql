-- Who came to the chosen step and no further, newest first.
-- keep: 10 s
-- slow
SELECT
    user_id, max(entered_at) AS last_entered, argMax(furthest_at, entered_at) AS stopped_at,
    argMax(device_type, entered_at) AS device, argMax(breakdown_value, entered_at) AS value,
    max(furthest_step) AS best
FROM marts.fct_funnel_user
WHERE funnel = {funnel:String} AND NOT is_bot
    AND entry_date >= toDate({since:DateTime('UTC')}) AND entry_date <= toDate({until:DateTime('UTC')})
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR breakdown_value = {country:String})
GROUP BY user_id
HAVING best = {step:UInt8}
ORDER BY stopped_at DESC, user_id
LIMIT {limit:UInt32}
