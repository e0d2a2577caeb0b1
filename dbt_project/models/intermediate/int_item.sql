-- One row an item, recomputed for the items that new events touch, from their days and their users.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='item_id',
    query_settings={'do_not_merge_across_partitions_select_final': 1}
) }}

with touched as (

    select distinct item_id
    from {{ keys_landed('int_item_daily', 'int_item_user_counts') }}
    where item_id != ''

),

days as (

    select * from {{ ref('int_item_daily') }} {{ final() }} where item_id in (select item_id from touched)

),

users as (

    select item_id, sum(users) as unique_users
    from {{ ref('int_item_user_counts') }} {{ final() }}
    where item_id in (select item_id from touched)
    group by item_id

),

items as (

    select
        item_id,
        max(days.last_category) as last_category,
        sum(days.views) as views,
        sum(days.clicks) as clicks,
        sum(days.add_to_carts) as add_to_carts,
        sum(days.purchases) as purchases,
        sum(days.bot_views) as bot_views,
        sum(days.bot_add_to_carts) as bot_add_to_carts,
        sum(days.bot_purchases) as bot_purchases,
        sum(days.units) as units,
        sum(days.revenue) as revenue,
        sum(days.interactions) as interactions,
        max(days.last_event_at) as last_event_at
    from days
    group by item_id

)

select
    items.*,
    users.unique_users as unique_users,
    {{ run_version() }} as version
from items
inner join users on items.item_id = users.item_id
