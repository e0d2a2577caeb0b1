-- Sessions that began in the stretch, in one reading: of all devices, and device by device: in all, by UTC day, by how long
-- they last, by the page they begin and by the one they end with; `part` says which a row is of. Digits in a part of a path
-- stand for one of many. Sessions that look like a bot's are counted in `bots` and nowhere else. One answer serves the looks
-- at every device.
-- keep: 10 s
-- slow
SELECT
    transform(
        grouping(device_type, session_date, bucket, entry, exit),
        [31, 15, 7, 11, 13], ['all', 'totals', 'days', 'durations', 'entries'], 'exits'
    ) AS part,
    device_type,
    session_date,
    bucket,
    ['one event', 'under 10 s', '10 to 30 s', '30 to 60 s', '1 to 3 min', '3 to 10 min', '10 to 30 min',
        '30 min and more'][bucket + 1] AS duration,
    if(part = 'entries', entry, exit) AS page,
    countIf(NOT is_bot) AS sessions,
    countIf(is_bot) AS bots,
    countIf(is_converted AND NOT is_bot) AS buying,
    countIf(is_bounced AND NOT is_bot) AS bouncing,
    sumIf(page_views, NOT is_bot) AS pages,
    quantileExactInclusiveIf(0.5)(duration_seconds, NOT is_bot AND events > 1) AS median_seconds
FROM (
    SELECT
        device_type,
        session_date,
        multiIf(events = 1, 0, duration_seconds < 10, 1, duration_seconds < 30, 2, duration_seconds < 60, 3,
            duration_seconds < 180, 4, duration_seconds < 600, 5, duration_seconds < 1800, 6, 7) AS bucket,
        replaceRegexpAll(toLowCardinality(entry_page), '/[^/]*[0-9][^/]*', '/*') AS entry,
        replaceRegexpAll(toLowCardinality(exit_page), '/[^/]*[0-9][^/]*', '/*') AS exit,
        duration_seconds,
        events,
        page_views,
        is_bounced,
        is_converted,
        is_bot
    FROM marts.fct_session
    WHERE session_date >= toDate({since:DateTime('UTC')}) AND started_at >= {since:DateTime('UTC')}
        AND ({any_country:UInt8} OR country = {country:String})
        AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
)
GROUP BY GROUPING SETS (
    (), (device_type), (device_type, session_date), (device_type, bucket), (device_type, entry), (device_type, exit)
)
HAVING part IN ('all', 'totals') AND sessions + bots > 0 OR sessions > 0 AND (part IN ('days', 'durations') OR page != '')
ORDER BY part, device_type, sessions DESC, page
LIMIT 1000 BY part, device_type
