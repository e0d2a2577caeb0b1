-- Money by item, with that of purchases which name no item, is money by user.
select by_user.revenue, by_item.revenue, without_item.revenue
from (select sum(users.revenue) as revenue from {{ ref('int_user') }} as users final) as by_user
cross join (select sum(items.revenue) as revenue from {{ ref('int_item') }} as items final) as by_item
cross join (
    select sum(purchases.revenue) as revenue from {{ ref('int_purchases') }} as purchases final where item_id = ''
) as without_item
where by_user.revenue != by_item.revenue + without_item.revenue
    -- All three have come as far, so that no run is between them.
    and (
        select uniqExact(come) from (
            select sum(kafka_offset) as come from ops.model_watermarks final
            where model in ('int_purchases', 'int_user', 'int_item') group by model
        )
    ) = 1
