-- User x day of the event, recomputed for the pairs that new events touch. Sets are kept as sorted arrays, so
-- that a user's distinct items and sessions can be counted exactly over any number of days.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='(user_id, event_date)',
    post_hook='{{ record_watermark() }}'
) }}

{% set idle = var('session_idle_minutes') * 60000000 %}

with touched as (

    select distinct user_id, toDate(event_hour) as event_date
    from {{ ref('stg_events') }}
    where {{ landed('int_events') }}

),

events as (

    select *
    from {{ ref('int_events') }} {{ final() }}
    where event_hour >= (select toDateTime(min(event_date), 'UTC') from touched)
        and toDate(event_hour) in (select event_date from touched)
        and (user_id, toDate(event_hour)) in (select user_id, event_date from touched)

)

select
    user_id,
    toDate(event_hour) as event_date,
    min(event_time) as first_seen_at,
    max(event_time) as last_seen_at,
    arraySort(groupUniqArrayIf(session_id, session_id != '')) as session_ids,
    -- Spans of activity without a client's session id: (first, last) event, in microseconds.
    arraySort(groupArrayIf(toUnixTimestamp64Micro(event_time), session_id = '')) as loose_times,
    arrayMap(
        span -> (span[1], span[-1]),
        if(empty(loose_times), [], arraySplit(
            (at, gap) -> gap > {{ idle }}, loose_times, arrayDifference(loose_times)
        ))
    ) as loose_spans,
    arraySort(groupUniqArrayIf(item_id, item_id != '')) as item_ids,
    count() as interactions,
    countIf(event_type = 'page_view') as views,
    countIf(event_type = 'click') as clicks,
    countIf(event_type = 'add_to_cart') as add_to_carts,
    countIf(event_type = 'search') as searches,
    countIf(event_type = 'purchase') as purchases,
    sum(events.revenue) as revenue,
    argMaxIf(events.device_type, (event_time, UUIDToNum(event_id)), events.device_type != '') as device_type,
    maxIf((event_time, UUIDToNum(event_id)), events.device_type != '') as device_seen,
    argMaxIf(events.country, (event_time, UUIDToNum(event_id)), events.country != '') as country,
    maxIf((event_time, UUIDToNum(event_id)), events.country != '') as country_seen,
    {{ run_version() }} as version
from events
group by user_id, event_date
