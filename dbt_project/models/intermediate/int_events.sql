-- Each event once. A client that sends an event twice sends the same event_id, user and time, so the sorting
-- key finds the repeats and ReplacingMergeTree with FINAL keeps the copy that landed first, in whatever order
-- they came. Sorted by day, then by user, in small granules: the days of the users that new events touch are
-- recomputed, and finding them costs the same however long the history and however busy the day.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(earliness)',
    partition_by='toYYYYMM(event_time)',
    order_by='(toDate(event_time), user_id, event_time, event_id)',
    settings={'index_granularity': 512},
    query_settings={'max_partitions_per_insert_block': 0},
    post_hook='{{ record_watermark() }}'
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select
    user_id,
    event_time,
    event_id,
    event_type,
    session_id,
    item_id,
    item_category,
    page,
    referrer,
    user_agent,
    is_bot_agent,
    ip_address,
    country,
    device_type,
    search_query,
    element_id,
    experiment_name,
    experiment_variation,
    quantity,
    revenue,
    is_late,
    is_ahead,
    earliness
from events
where {{ landed() }}
