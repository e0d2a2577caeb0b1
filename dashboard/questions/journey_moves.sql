-- The most frequent moves between pages, or between types of events, in the last week of the stretch.
-- keep: 10 s
-- slow
SELECT
    replaceRegexpAll(toLowCardinality(from_step), '/[^/]*[0-9][^/]*', '/*') AS from_where,
    replaceRegexpAll(toLowCardinality(to_step), '/[^/]*[0-9][^/]*', '/*') AS to_where,
    sum(moves) AS all_moves
FROM marts.fct_journey
WHERE kind = {kind:String}
    AND session_date >= toDate({recent:DateTime('UTC')})
    AND ({any_device:UInt8} OR device_type = {device:String})
GROUP BY from_where, to_where
ORDER BY all_moves DESC, from_where, to_where
LIMIT {limit:UInt32}
