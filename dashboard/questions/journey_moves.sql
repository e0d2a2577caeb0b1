-- The most frequent moves between pages, or between types of events.
-- keep: 10 s
SELECT
    replaceRegexpAll(from_step, '/[^/]*[0-9][^/]*', '/*') AS from_where,
    replaceRegexpAll(to_step, '/[^/]*[0-9][^/]*', '/*') AS to_where,
    sum(moves) AS all_moves
FROM marts.fct_journey
WHERE kind = {kind:String}
    AND session_date >= toDate({since:DateTime('UTC')})
    AND ({any_device:UInt8} OR device_type = {device:String})
GROUP BY from_where, to_where
ORDER BY all_moves DESC, from_where, to_where
LIMIT {limit:UInt32}
