-- Sessions by the UTC day on which they began, and how many of them bought; without bots.
-- keep: 10 s
-- slow
SELECT session_date, count() AS sessions, countIf(is_converted) AS buying
FROM marts.fct_session
WHERE session_date >= toDate({since:DateTime('UTC')}) AND started_at >= {since:DateTime('UTC')}
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR country = {country:String})
    AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
    AND NOT is_bot
GROUP BY session_date
ORDER BY session_date WITH FILL
LIMIT 1000
