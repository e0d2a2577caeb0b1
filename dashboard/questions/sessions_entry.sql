-- The pages that sessions begin with; digits in a part of the path stand for one of many. Without bots.
-- keep: 10 s
-- slow
SELECT
    replaceRegexpAll(entry_page, '/[^/]*[0-9][^/]*', '/*') AS page,
    count() AS sessions,
    avg(is_bounced) AS bounced,
    avg(is_converted) AS converted
FROM marts.fct_session
WHERE session_date >= toDate({since:DateTime('UTC')}) AND started_at >= {since:DateTime('UTC')}
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR country = {country:String})
    AND ({any_type:UInt8} OR events_by_type[{type:String}] > 0)
    AND NOT is_bot AND entry_page != ''
GROUP BY page
ORDER BY sessions DESC, page
LIMIT {limit:UInt32}
