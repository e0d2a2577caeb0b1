-- A view with FINAL over the recomputed rows: readers see one row an item at any moment of a run.
{{ config(materialized='view') }}

with items as (

    select
        *,
        views - bot_views as seen,
        add_to_carts - bot_add_to_carts as put,
        purchases - bot_purchases as bought
    from {{ ref('int_item') }} {{ final() }}

)

select
    item_id,
    toString(items.last_category.3) as item_category,
    views,
    clicks,
    add_to_carts,
    purchases,
    units,
    cast(items.revenue as Decimal(38, 6)) as revenue,
    toUInt64(items.unique_users) as unique_users,
    interactions,
    if(seen = 0, null, put / seen) as view_to_cart,
    if(put = 0, null, bought / put) as cart_to_purchase,
    last_event_at
from items
