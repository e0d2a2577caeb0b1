-- How long sessions last, and how often those that last so long end with a purchase; without bots.
-- keep: 10 s
-- slow
SELECT
    multiIf(events = 1, 0, duration_seconds < 10, 1, duration_seconds < 30, 2, duration_seconds < 60, 3,
        duration_seconds < 180, 4, duration_seconds < 600, 5, duration_seconds < 1800, 6, 7) AS bucket,
    ['one event', 'under 10 s', '10 to 30 s', '30 to 60 s', '1 to 3 min', '3 to 10 min', '10 to 30 min',
        '30 min and more'][bucket + 1] AS duration,
    count() AS sessions,
    avg(is_converted) AS converted
FROM marts.fct_session
WHERE session_date >= toDate({since:DateTime('UTC')}) AND started_at >= {since:DateTime('UTC')}
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR country = {country:String})
    AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
    AND NOT is_bot
GROUP BY bucket
ORDER BY bucket
