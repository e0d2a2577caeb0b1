-- An item's row is the sum of its hours, in money and in events, and every hour has its item. A run may be
-- between the two models, so hours that are newer than the newest item row are left for the next look.
with hours as (

    select
        item_id,
        sum(hourly.revenue) as revenue,
        sum(hourly.interactions) as interactions
    from {{ ref('int_item_hourly') }} as hourly final
    group by item_id
    having max(version) <= (select max(version) from {{ ref('int_item') }})

),

items as (

    select * from {{ ref('int_item') }} final

)

select hours.item_id, hours.revenue, items.revenue, hours.interactions, items.interactions
from hours
left join items on hours.item_id = items.item_id
where hours.revenue != items.revenue or hours.interactions != items.interactions
