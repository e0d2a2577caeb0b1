-- One row a user, recomputed for the users that new events touch, from their months.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='user_id',
    settings={'index_granularity': 128},
    query_settings={'do_not_merge_across_partitions_select_final': 1}
) }}

with touched as (

    select distinct user_id
    from {{ keys_landed('int_user_monthly') }}

),

months as (

    select * from {{ ref('int_user_monthly') }} {{ final() }} where user_id in (select user_id from touched)

)

select
    user_id,
    sum(months.sessions) as sessions,
    sum(months.bot_days) as bot_days,
    min(months.first_seen_at) as first_seen_at,
    max(months.last_seen_at) as last_seen_at,
    sum(months.days_active) as days_active,
    sum(months.interactions) as interactions,
    sum(months.page_views) as page_views,
    sum(months.clicks) as clicks,
    sum(months.add_to_carts) as add_to_carts,
    sum(months.searches) as searches,
    sum(months.purchases) as purchases,
    sum(months.revenue) as revenue,
    toUInt64(length(arrayDistinct(arrayFlatten(groupArray(months.item_hashes))))) as distinct_items,
    max(months.last_device) as last_device,
    max(months.last_country) as last_country,
    {{ run_version() }} as version
from months
group by user_id
