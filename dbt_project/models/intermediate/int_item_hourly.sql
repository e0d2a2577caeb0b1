-- Item x hour, recomputed for the pairs that new events touch; the row of the run that saw most wins.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    partition_by='toYYYYMM(event_hour)',
    order_by='(item_id, event_hour)',
    settings=closed_partitions_in_one_part(),
    query_settings={'max_partitions_per_insert_block': 0, 'do_not_merge_across_partitions_select_final': 1}
) }}

with touched as (

    select distinct toStartOfHour(event_time) as event_hour, item_id
    from {{ keys_landed('int_item_events') }}
    where item_id != ''

),

events as (

    select *
    from {{ ref('int_item_events') }} {{ final() }}
    where (event_hour, item_id) in (select event_hour, item_id from touched)

)

select
    item_id,
    event_hour,
    maxIf(
        (event_time, UUIDToNum(event_id), toString(events.item_category)), events.item_category != ''
    ) as last_category,
    countIf(event_type = 'page_view') as views,
    countIf(event_type = 'click') as clicks,
    countIf(event_type = 'add_to_cart') as add_to_carts,
    countIf(event_type = 'purchase') as purchases,
    countIf(event_type = 'page_view' and is_bot_agent) as bot_views,
    countIf(event_type = 'add_to_cart' and is_bot_agent) as bot_add_to_carts,
    countIf(event_type = 'purchase' and is_bot_agent) as bot_purchases,
    sumIf(quantity, event_type = 'purchase') as units,
    sum(events.revenue) as revenue,
    uniqExact(user_id) as unique_users,
    count() as interactions,
    max(event_time) as last_event_at,
    {{ run_version() }} as version
from events
group by item_id, event_hour
