-- One row an item, recomputed for the items that new events touch, from their hours and their users.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='item_id',
    post_hook='{{ record_watermark() }}'
) }}

with touched as (

    select distinct item_id
    from {{ ref('stg_events') }}
    where item_id != '' and {{ landed('int_events') }}

),

hours as (

    select * from {{ ref('int_item_hourly') }} {{ final() }} where item_id in (select item_id from touched)

),

users as (

    select item_id, count() as unique_users
    from {{ ref('int_item_users') }} {{ final() }}
    where item_id in (select item_id from touched)
    group by item_id

),

items as (

    select
        item_id,
        argMax(hours.item_category, category_seen) as item_category,
        sum(hours.views) as views,
        sum(hours.clicks) as clicks,
        sum(hours.add_to_carts) as add_to_carts,
        sum(hours.purchases) as purchases,
        sum(hours.units) as units,
        sum(hours.revenue) as revenue,
        sum(hours.interactions) as interactions,
        max(hours.last_event_at) as last_event_at
    from hours
    group by item_id

)

select
    items.item_id as item_id,
    items.item_category as item_category,
    items.views as views,
    items.clicks as clicks,
    items.add_to_carts as add_to_carts,
    items.purchases as purchases,
    items.units as units,
    items.revenue as revenue,
    users.unique_users as unique_users,
    items.interactions as interactions,
    items.last_event_at as last_event_at,
    {{ run_version() }} as version
from items
inner join users on items.item_id = users.item_id
