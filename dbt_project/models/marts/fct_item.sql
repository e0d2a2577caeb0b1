-- A view with FINAL over the recomputed rows: readers see one row an item at any moment of a run.
{{ config(materialized='view') }}

with items as (

    select * from {{ ref('int_item') }} {{ final() }}

)

select
    item_id,
    toString(items.item_category) as item_category,
    views,
    clicks,
    add_to_carts,
    purchases,
    units,
    cast(items.revenue as Decimal(38, 6)) as revenue,
    unique_users,
    interactions,
    if(views = 0, null, add_to_carts / views) as view_to_cart,
    if(add_to_carts = 0, null, purchases / add_to_carts) as cart_to_purchase,
    last_event_at
from items
