-- From place to place in the last week of the stretch, whole days, device by device: places are pages, or types of events.
-- Step 0 leads from (entry) to the first place, step 5 stands for all from the fifth on. Digits in a part of a path stand
-- for one of many. Without bots. One answer serves the looks at every device.
-- keep: 10 s
-- slow
SELECT device_type, least(number - 1, 5) AS step, from_where, to_where, count() AS moves
FROM (
    SELECT
        device_type,
        arrayMap(place -> replaceRegexpAll(place, '/[^/]*[0-9][^/]*', '/*'), way::Array(LowCardinality(String))) AS places,
        arrayConcat(['(entry)'], places) AS origins,
        arrayConcat(places, ['(exit)']) AS targets
    FROM (
        -- Only one of the two is read.
        SELECT device_type, path AS way
        FROM marts.fct_session
        WHERE {kind:String} != 'event' AND session_date >= toDate({recent:DateTime('UTC')}) AND NOT is_bot
        UNION ALL
        SELECT device_type, steps AS way
        FROM marts.fct_session
        WHERE {kind:String} = 'event' AND session_date >= toDate({recent:DateTime('UTC')}) AND NOT is_bot
    )
    WHERE notEmpty(way)
)
ARRAY JOIN origins AS from_where, targets AS to_where, arrayEnumerate(origins) AS number
GROUP BY device_type, step, from_where, to_where
ORDER BY device_type, step, moves DESC, from_where, to_where
LIMIT 1000 BY device_type, step
