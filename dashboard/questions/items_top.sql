-- The items of the category in the stretch, by purchases or by another type of event.
-- keep: 10 s
SELECT
    item_id,
    anyLast(item_category) AS category,
    sum(views) AS all_views,
    sum(clicks) AS all_clicks,
    sum(add_to_carts) AS carts,
    sum(purchases) AS sales,
    sum(units) AS all_units,
    sum(revenue) AS all_revenue,
    if(all_views = 0, NULL, carts / all_views) AS view_to_cart,
    if(carts = 0, NULL, sales / carts) AS cart_to_purchase
FROM marts.fct_item_hourly
WHERE event_hour >= toStartOfHour({since:DateTime('UTC')}) AND event_hour < {until:DateTime('UTC')}
    AND ({any_category:UInt8} OR item_category = {category:String})
    AND ({any_item:UInt8} OR item_id = {item:String})
GROUP BY item_id
ORDER BY
    multiIf({type:String} = 'page_view', toFloat64(all_views), {type:String} = 'click', toFloat64(all_clicks),
        {type:String} = 'add_to_cart', toFloat64(carts), {type:String} = 'purchase', toFloat64(sales),
        toFloat64(all_revenue)) DESC,
    all_views DESC,
    item_id
LIMIT {limit:UInt32}
