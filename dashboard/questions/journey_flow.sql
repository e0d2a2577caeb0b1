-- From page to page in the last week of the stretch: how many sessions go from which page to which at their first,
-- second, third and fourth step. Digits in a part of the path stand for one of many. Without bots.
-- keep: 10 s
-- slow
WITH paths AS (
    SELECT
        arrayMap(page -> replaceRegexpAll(page, '/[^/]*[0-9][^/]*', '/*'), path::Array(LowCardinality(String))) AS pages,
        goes_on,
        sum(sessions) AS weight
    FROM marts.fct_journey_path
    WHERE session_date >= toDate({recent:DateTime('UTC')})
        AND ({any_device:UInt8} OR device_type = {device:String})
    GROUP BY pages, goes_on
)
SELECT
    number AS step,
    pages[number] AS from_page,
    multiIf(number < length(pages), pages[number + 1], goes_on, '(goes on)', '(leaves)') AS to_page,
    sum(weight) AS moves
FROM paths
ARRAY JOIN arrayEnumerate(pages) AS number
WHERE number <= 4
GROUP BY step, from_page, to_page
ORDER BY step, moves DESC, from_page, to_page
LIMIT 2000
