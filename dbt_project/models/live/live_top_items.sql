-- One row a minute, device and item: sum over the minutes wanted and take the highest. A purchase is an interaction
-- too, so each item sold has its row in both tables.
{{ config(materialized='view') }}

with parts as (

    select
        minute,
        cast(device_type as String) as device,
        item_id,
        length(event_hashes) as interactions,
        toUInt64(0) as purchases,
        toInt64(0) as units,
        toDecimal128(0, 6) as revenue
    from {{ source('live', 'item_sets') }} {{ final() }}

    union all

    select
        minute,
        cast(device_type as String) as device,
        item_id,
        toUInt64(0) as interactions,
        toUInt64(1) as purchases,
        units,
        revenue
    from ({{ live_sales() }})
    where item_id != ''

)

select
    minute,
    device as device_type,
    item_id,
    sum(parts.interactions) as interactions,
    sum(parts.purchases) as purchases,
    sum(parts.units) as units,
    cast(sum(parts.revenue) as Decimal(38, 6)) as revenue
from parts
where {{ live_window('minute') }}
group by minute, device_type, item_id
