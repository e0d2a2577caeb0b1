-- One row a user, recomputed for the users that new events touch, from their days.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='user_id',
    post_hook='{{ record_watermark() }}'
) }}

{% set idle = var('session_idle_minutes') * 60000000 %}

with touched as (

    select distinct user_id
    from {{ ref('stg_events') }}
    where {{ landed('int_events') }}

),

days as (

    select * from {{ ref('int_user_daily') }} {{ final() }} where user_id in (select user_id from touched)

)

select
    user_id,
    min(days.first_seen_at) as first_seen_at,
    max(days.last_seen_at) as last_seen_at,
    -- Spans of neighbouring days that are less than the idle time apart are one session across midnight.
    arraySort(arrayFlatten(groupArray(arrayMap(span -> span.1, loose_spans)))) as span_starts,
    arraySort(arrayFlatten(groupArray(arrayMap(span -> span.2, loose_spans)))) as span_ends,
    length(arrayDistinct(arrayFlatten(groupArray(session_ids)))) + if(
        empty(span_starts), 0,
        1 + arrayCount(
            (begin, end) -> begin - end > {{ idle }}, arrayPopFront(span_starts), arrayPopBack(span_ends)
        )
    ) as sessions,
    count() as days_active,
    sum(interactions) as total_interactions,
    sum(days.views) as views,
    sum(days.clicks) as clicks,
    sum(days.add_to_carts) as add_to_carts,
    sum(days.searches) as searches,
    sum(days.purchases) as purchases,
    sum(days.revenue) as revenue,
    length(arrayDistinct(arrayFlatten(groupArray(item_ids)))) as distinct_items,
    argMax(days.device_type, device_seen) as last_device,
    argMax(days.country, country_seen) as last_country,
    {{ run_version() }} as version
from days
group by user_id
