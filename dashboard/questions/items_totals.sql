-- All items of the category together in the stretch, hour by hour.
-- keep: 5 s
SELECT event_hour, sum(views) AS all_views, sum(add_to_carts) AS carts, sum(purchases) AS sales, sum(revenue) AS all_revenue
FROM marts.fct_item_hourly
WHERE event_hour >= toStartOfHour({since:DateTime('UTC')}) AND event_hour < {until:DateTime('UTC')}
    AND ({any_category:UInt8} OR item_category = {category:String})
GROUP BY event_hour
ORDER BY event_hour WITH FILL STEP 3600
LIMIT 10000
