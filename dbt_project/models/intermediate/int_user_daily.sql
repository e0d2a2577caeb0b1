-- User x day of the event (UTC), recomputed for the pairs that new events touch, with the pieces of sessions
-- that lie in the day: the events of one client session, or, without a client's id, a stretch of events with no
-- pause longer than the idle time. int_sessions puts the pieces of neighbouring days together.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    partition_by='toMonday(event_date)',
    order_by='(user_id, event_date)',
    settings=dict(closed_partitions_in_one_part(), index_granularity=256),
    query_settings={'max_partitions_per_insert_block': 0, 'do_not_merge_across_partitions_select_final': 1}
) }}
{{ check_variables() }}

with touched as (

    select distinct user_id, toDate(event_time) as event_date
    from {{ keys_landed('int_events') }}

),

events as (

    select *, toDate(event_time) as event_date
    from {{ ref('int_events') }} {{ final() }}
    where event_time >= (select toDateTime64(min(touched.event_date), 6, 'UTC') from touched)
        and event_time < (select toDateTime64(max(touched.event_date) + 1, 6, 'UTC') from touched)
        and (toDate(event_time), user_id) in (select touched.event_date, user_id from touched)

),

paused as (

    select
        *,
        toUnixTimestamp64Micro(event_time) as micros,
        lagInFrame(micros, 1, micros) over (
            partition by user_id, event_date, session_id order by event_time, event_id
            rows between unbounded preceding and unbounded following
        ) as micros_before,
        micros - micros_before as pause,
        session_id = '' and pause > {{ var('session_idle_minutes') * 60000000 }} as is_resumed
    from events

),

numbered as (

    select
        *,
        sum(is_resumed) over (
            partition by user_id, event_date, session_id order by event_time, event_id
            rows between unbounded preceding and current row
        ) as piece_number
    from paused

),

pieces as (

    select
        user_id,
        event_date,
        {{ session_piece() }} as piece,
        groupArray(numbered.event_time) as times,
        groupUniqArrayIf(item_id, item_id != '') as items,
        countIf(is_late) as late,
        countIf(is_ahead) as ahead,
        maxIf((numbered.event_time, UUIDToNum(event_id), device_type), device_type != '') as last_device,
        maxIf((numbered.event_time, UUIDToNum(event_id), country), country != '') as last_country
    from numbered
    group by user_id, event_date, session_id, piece_number

)

select
    user_id,
    event_date,
    arraySort(one -> (one.first_at, one.client_session_id), groupArray(piece)) as pieces,
    -- Distances from midnight in microseconds, for "since the first exposure" in experiments.
    arraySort(arrayMap(
        at -> toUInt64(toUnixTimestamp64Micro(at) % 86400000000), arrayFlatten(groupArray(times))
    )) as micros_of_day,
    arraySort(arrayDistinct(arrayFlatten(groupArray(items)))) as item_ids,
    {% for kind in ['page_view', 'click', 'add_to_cart', 'search', 'purchase'] -%}
    sum(piece.counts['{{ kind }}']) as {{ kind }}{{ 'es' if kind == 'search' else 's' }},
    {% endfor -%}
    toUInt64(length(micros_of_day)) as interactions,
    sum(piece.revenue) as revenue,
    sum(late) as late_events,
    sum(ahead) as ahead_events,
    min(piece.first_at) as first_seen_at,
    max(piece.last_at) as last_seen_at,
    max(pieces.last_device) as last_device,
    max(pieces.last_country) as last_country,
    {{ run_version() }} as version
from pieces
group by user_id, event_date
