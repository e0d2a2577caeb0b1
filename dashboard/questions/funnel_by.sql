-- Users who entered the funnel and completed it, in one reading: by UTC day of entry, by device at the entry, and by the
-- field that the funnel is broken down by; `part` says which. Hashes of 64 bits are counted in half of the time of names.
-- keep: 10 s
-- slow
SELECT
    transform(grouping(entry_date, device_type, breakdown_value), [3, 5], ['days', 'device'], 'country') AS part,
    entry_date,
    if(part = 'device', device_type, breakdown_value) AS value,
    any(breakdown) AS field,
    uniqExact(sipHash64(user_id)) AS entered,
    uniqExactIf(sipHash64(user_id), is_complete) AS completed,
    completed / entered AS share
FROM marts.fct_funnel_user
WHERE funnel = {funnel:String} AND NOT is_bot
    AND entry_date >= toDate({since:DateTime('UTC')}) AND entry_date <= toDate({until:DateTime('UTC')})
    AND ({any_device:UInt8} OR device_type = {device:String})
    AND ({any_country:UInt8} OR breakdown_value = {country:String})
GROUP BY GROUPING SETS ((entry_date), (device_type), (breakdown_value))
ORDER BY part, entry_date, entered DESC, value
LIMIT 1000 BY part
