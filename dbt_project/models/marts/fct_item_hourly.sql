-- A view with FINAL over the recomputed rows: readers see one row an item and hour at any moment of a run.
{{ config(materialized='view') }}

with hours as (

    select * from {{ ref('int_item_hourly') }} {{ final() }}

)

select
    item_id,
    event_hour,
    toString(hours.last_category.3) as item_category,
    views,
    clicks,
    add_to_carts,
    purchases,
    units,
    cast(hours.revenue as Decimal(38, 6)) as revenue,
    unique_users,
    interactions,
    last_event_at
from hours
