-- Sessions that began in the stretch, without those that look like a bot's.
-- keep: 10 s
-- slow
SELECT
    countIf(NOT is_bot) AS sessions,
    countIf(is_bot) AS bots,
    if(sessions = 0, NULL, countIf(is_bounced AND NOT is_bot) / sessions) AS bounced,
    if(sessions = 0, NULL, countIf(is_converted AND NOT is_bot) / sessions) AS converted,
    quantileExactInclusiveIf(0.5)(duration_seconds, NOT is_bot AND events > 1) AS median_seconds,
    if(sessions = 0, NULL, sumIf(page_views, NOT is_bot) / sessions) AS pages_each
FROM marts.fct_session
WHERE session_date >= toDate({since:DateTime('UTC')}) AND started_at >= {since:DateTime('UTC')}
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR country = {country:String})
    AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
