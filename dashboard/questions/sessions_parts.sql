-- Sessions that began in the stretch, in one reading: in all, by UTC day, by how long they last, by the page they begin and
-- by the one they end with; `part` says which a row is of. Digits in a part of a path stand for one of many. Sessions that
-- look like a bot's are counted in `bots` and nowhere else.
-- keep: 10 s
-- slow
SELECT
    transform(
        grouping(session_date, bucket, entry, exit), [15, 7, 11, 13], ['totals', 'days', 'durations', 'entries'], 'exits'
    ) AS part,
    session_date,
    ['one event', 'under 10 s', '10 to 30 s', '30 to 60 s', '1 to 3 min', '3 to 10 min', '10 to 30 min',
        '30 min and more'][bucket + 1] AS duration,
    if(part = 'entries', entry, exit) AS page,
    countIf(NOT is_bot) AS sessions,
    countIf(is_bot) AS bots,
    countIf(is_converted AND NOT is_bot) AS buying,
    if(sessions = 0, NULL, countIf(is_bounced AND NOT is_bot) / sessions) AS bounced,
    if(sessions = 0, NULL, buying / sessions) AS converted,
    if(sessions = 0, NULL, sumIf(page_views, NOT is_bot) / sessions) AS pages_each,
    quantileExactInclusiveIf(0.5)(duration_seconds, NOT is_bot AND events > 1) AS median_seconds
FROM (
    SELECT
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
        AND ({any_device:UInt8} OR device_type = {device:String})
        AND ({any_country:UInt8} OR country = {country:String})
        AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
)
GROUP BY GROUPING SETS ((), (session_date), (bucket), (entry), (exit))
HAVING part = 'totals' AND sessions + bots > 0 OR sessions > 0 AND (part IN ('days', 'durations') OR page != '')
ORDER BY part, if(part = 'days', session_date, toDate(0)), if(part = 'durations', bucket, 0), sessions DESC, page
LIMIT 1000 BY part
