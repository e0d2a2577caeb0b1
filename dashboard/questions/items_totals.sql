-- All items of the category together in the stretch, point by point of the chart.
-- keep: 10 s
SELECT
    toStartOfInterval(event_hour, toIntervalSecond({point:UInt32})) AS moment,
    sum(views) AS all_views,
    sum(add_to_carts) AS carts,
    sum(purchases) AS sales,
    sum(revenue) AS all_revenue
FROM marts.fct_item_hourly
WHERE event_hour >= toStartOfHour({since:DateTime('UTC')}) AND event_hour < {until:DateTime('UTC')}
    AND ({any_category:UInt8} OR item_category = {category:String})
GROUP BY moment
ORDER BY moment WITH FILL STEP toIntervalSecond({point:UInt32})
LIMIT 10000
