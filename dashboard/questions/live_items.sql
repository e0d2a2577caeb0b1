-- The items with the most revenue in the stretch, then by events about them.
SELECT
    item_id,
    sum(interactions) AS all_interactions,
    sum(purchases) AS all_purchases,
    sum(units) AS all_units,
    sum(revenue) AS all_revenue
FROM live.live_top_items
WHERE minute > toStartOfMinute(now('UTC')) - toIntervalMinute({minutes:UInt32})
    AND ({any_device:UInt8} OR device_type = {device:String})
GROUP BY item_id
ORDER BY all_revenue DESC, all_interactions DESC, item_id
LIMIT {limit:UInt32}
