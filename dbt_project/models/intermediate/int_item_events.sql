-- The events that name an item, once each and narrow, sorted by hour and item: what int_item_hourly recomputes from.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(earliness)',
    partition_by='toYYYYMM(event_time)',
    order_by='(event_hour, item_id, user_id, event_time, event_id)',
    query_settings={'max_partitions_per_insert_block': 0}
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select
    event_hour,
    item_id,
    user_id,
    event_time,
    event_id,
    event_type,
    item_category,
    quantity,
    revenue,
    is_bot_agent,
    earliness
from events
where item_id != '' and {{ landed('int_events') }}
