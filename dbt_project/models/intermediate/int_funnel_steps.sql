-- The events that match a step of a funnel, once for each funnel they match, with the steps as bits. The copy of an
-- event that counts is int_events' own. A new definition has a new key and reads int_events whole, once. Sorted by
-- day before user: new events are of few days but of many users. One row of an event is 33 bytes or so.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(earliness)',
    partition_by='toYYYYMM(event_date)',
    order_by='(funnel_key, event_date, user_id, event_time, event_id)',
    settings={'index_granularity': 2048},
    query_settings={'max_partitions_per_insert_block': 0},
    post_hook='{{ record_funnels() }}'
) }}

{% set window = landed('int_events') %}
{% set funnels = funnels_to_do() %}

with touched as (

    select distinct user_id, event_time, event_id
    from {{ ref('stg_events') }}
    where {{ window }} and notEmpty({{ funnel_matches(funnels.followed) }})

),

matched as (

    select *, arrayJoin({{ funnel_matches(funnels.followed) }}) as matched
    from {{ ref('int_events') }} {{ final() }}
    -- The range of all that landed: that of `touched` alone would make `touched` twice more, half of the work.
    where event_time >= (select min(landed.event_time) from {{ keys_landed('int_events') }} as landed)
        and event_time <= (select max(landed.event_time) from {{ keys_landed('int_events') }} as landed)
        and (toDate(event_time), user_id, event_time, event_id) in (
            select toDate(touched.event_time), user_id, touched.event_time, event_id from touched
        )

    {% if funnels.fresh %}
    union all

    select *, arrayJoin({{ funnel_matches(funnels.fresh) }}) as matched
    from {{ ref('int_events') }} {{ final() }}
    {% endif %}

)

select
    toLowCardinality(matched.key) as funnel_key,
    toDate(event_time) as event_date,
    user_id,
    event_time,
    event_id,
    matched.steps as steps,
    toLowCardinality(matched.breakdown) as breakdown_value,
    device_type,
    is_bot_agent,
    earliness
from matched
