-- The users who were seen in the stretch, by revenue, events or when they were last seen; figures of all time.
-- keep: 10 s
SELECT
    user_id, last_seen_at, sessions, days_active, total_interactions, purchases, revenue, last_device, last_country
FROM marts.fct_user
WHERE last_seen_at >= {since:DateTime('UTC')} AND last_seen_at < {until:DateTime('UTC')}
    AND ({any_device:UInt8} OR last_device = {device:String})
    AND ({any_country:UInt8} OR last_country = {country:String})
    AND ({any_type:UInt8} OR multiIf(
        {type:String} = 'page_view', views, {type:String} = 'click', clicks,
        {type:String} = 'add_to_cart', add_to_carts, {type:String} = 'search', searches,
        {type:String} = 'purchase', purchases, total_interactions) > 0)
ORDER BY
    multiIf({order:String} = 'events', toFloat64(total_interactions),
        {order:String} = 'seen', toFloat64(toUnixTimestamp64Micro(last_seen_at)), toFloat64(revenue)) DESC,
    total_interactions DESC,
    user_id
LIMIT {limit:UInt32}
