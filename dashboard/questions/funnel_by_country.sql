-- Users who entered the funnel and completed it, by the field that the funnel is broken down by.
-- keep: 10 s
-- slow
SELECT
    breakdown_value AS value, any(breakdown) AS field, uniqExact(user_id) AS entered,
    uniqExactIf(user_id, is_complete) AS completed, completed / entered AS share
FROM marts.fct_funnel_user
WHERE funnel = {funnel:String} AND NOT is_bot
    AND entry_date >= toDate({since:DateTime('UTC')}) AND entry_date <= toDate({until:DateTime('UTC')})
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR breakdown_value = {country:String})
GROUP BY value
ORDER BY entered DESC, value
LIMIT 20
