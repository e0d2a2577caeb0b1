-- One row a landed event, duplicates included: names and types as the marts use them, nothing else.
with source as (

    select * from {{ source('raw', 'events') }}

)

select
    event_id,
    event_type,
    event_time,
    toStartOfHour(event_time) as event_hour,
    user_id,
    session_id,
    item_id,
    item_category,
    page_url,
    {{ page_path('page_url') }} as page,
    referrer,
    user_agent,
    match(cast(source.user_agent as String), '{{ var("bot_user_agent") }}') as is_bot_agent,
    ip_address,
    country,
    device_type,
    search_query,
    element_id,
    experiment_name,
    experiment_variation,
    toInt64(ifNull(quantity, 1)) as quantity,
    -- Money stays decimal: a sum of decimals is the same in every order of arrival, a sum of floats is not.
    toDecimal128(if(event_type = 'purchase', ifNull(price, 0), 0), 6) * ifNull(quantity, 1) as revenue,
    kafka_timestamp - event_time > {{ var('late_after_hours') * 3600 }} as is_late,
    event_time - kafka_timestamp > {{ var('clock_ahead_minutes') * 60 }} as is_ahead,
    {{ earliness() }} as earliness,
    kafka_topic,
    kafka_partition,
    kafka_offset,
    kafka_timestamp,
    ingested_at
from source
