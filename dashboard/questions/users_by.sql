-- Users who were seen in the stretch, in one reading: in all, by their last device and by their last country; `part` says
-- which. New ones were seen in it for the first time; buyers ever bought.
-- keep: 10 s
SELECT
    transform(grouping(last_device, last_country), [3, 1], ['totals', 'device'], 'country') AS part,
    if(part = 'device', last_device, last_country) AS value,
    count() AS users,
    countIf(first_seen_at >= {since:DateTime('UTC')}) AS new_users,
    countIf(purchases > 0) AS buyers,
    if(users = 0, NULL, buyers / users) AS buyer_share,
    if(users = 0, NULL, sum(total_interactions) / users) AS interactions_each,
    sum(revenue) AS all_revenue
FROM marts.fct_user
WHERE last_seen_at >= {since:DateTime('UTC')} AND last_seen_at < {until:DateTime('UTC')}
    AND ({any_device:UInt8} OR last_device = {device:String})
    AND ({any_country:UInt8} OR last_country = {country:String})
    AND ({any_type:UInt8} OR multiIf(
        {type:String} = 'page_view', views, {type:String} = 'click', clicks,
        {type:String} = 'add_to_cart', add_to_carts, {type:String} = 'search', searches,
        {type:String} = 'purchase', purchases, total_interactions) > 0)
GROUP BY GROUPING SETS ((), (last_device), (last_country))
ORDER BY part, users DESC, value
LIMIT 20 BY part
