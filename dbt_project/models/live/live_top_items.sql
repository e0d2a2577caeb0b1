-- One row a minute, device and item: sum over the minutes wanted and take the highest. A purchase is an interaction
-- too, so each item sold has its row in both tables.
{{ config(materialized='view') }}

with counts as (

    {{ live_counts('item_sets', 'item_id') }}

),

sales as (

    select
        minute,
        device_type,
        item_id,
        count() as purchases,
        sum(sold.units) as units,
        sum(sold.revenue) as revenue
    from ({{ live_sales() }}) as sold
    where item_id != ''
    group by minute, device_type, item_id

)

select
    counts.minute as minute,
    cast(counts.device_type as String) as device_type,
    counts.item_id as item_id,
    counts.events as interactions,
    sales.purchases as purchases,
    sales.units as units,
    cast(sales.revenue as Decimal(38, 6)) as revenue
from counts
left join sales
    on counts.minute = sales.minute and counts.device_type = sales.device_type and counts.item_id = sales.item_id
where {{ live_window('counts.minute') }}
