-- Sessions that began in the stretch, in one reading: by UTC day, by how long they last, by the page they begin and by the
-- one they end with; `part` says which a row is of. Digits in a part of a path stand for one of many. Without bots.
-- keep: 10 s
-- slow
SELECT
    transform(grouping(session_date, bucket, entry, exit), [7, 11, 13], ['days', 'durations', 'entries'], 'exits') AS part,
    session_date,
    ['one event', 'under 10 s', '10 to 30 s', '30 to 60 s', '1 to 3 min', '3 to 10 min', '10 to 30 min',
        '30 min and more'][bucket + 1] AS duration,
    if(part = 'entries', entry, exit) AS page,
    count() AS sessions,
    countIf(is_converted) AS buying,
    avg(is_bounced) AS bounced,
    avg(is_converted) AS converted
FROM (
    SELECT
        session_date,
        multiIf(events = 1, 0, duration_seconds < 10, 1, duration_seconds < 30, 2, duration_seconds < 60, 3,
            duration_seconds < 180, 4, duration_seconds < 600, 5, duration_seconds < 1800, 6, 7) AS bucket,
        replaceRegexpAll(entry_page, '/[^/]*[0-9][^/]*', '/*') AS entry,
        replaceRegexpAll(exit_page, '/[^/]*[0-9][^/]*', '/*') AS exit,
        is_bounced,
        is_converted
    FROM marts.fct_session
    WHERE session_date >= toDate({since:DateTime('UTC')}) AND started_at >= {since:DateTime('UTC')}
        AND ({any_device:UInt8} OR device_type = {device:String})
        AND ({any_country:UInt8} OR country = {country:String})
        AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
        AND NOT is_bot
)
GROUP BY GROUPING SETS ((session_date), (bucket), (entry), (exit))
HAVING part IN ('days', 'durations') OR page != ''
ORDER BY part, if(part = 'days', session_date, toDate(0)), if(part = 'durations', bucket, 0), sessions DESC, page
LIMIT 1000 BY part
