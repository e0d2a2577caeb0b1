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

by_session as (

    select
        user_id,
        event_date,
        session_id,
        arraySort(one -> (one.event_time, one.id), groupArray({{ session_event() }})) as in_order
    from events
    group by user_id, event_date, session_id

),

-- Lists and not window functions: these would sort every column of every event.
pieces as (

    select
        user_id,
        event_date,
        arrayJoin(if(
            session_id = '',
            arraySplit(
                (one, pause) -> pause > {{ var('session_idle_minutes') * 60000000 }},
                in_order, arrayDifference(in_order.micros)
            ),
            [in_order]
        )) as part,
        {{ session_piece('part') }} as piece,
        part.micros as micros,
        arrayMap(item -> sipHash64(item), arrayDistinct(arrayFilter(item -> item != '', part.item_id))) as items,
        countEqual(part.is_late, true) as late,
        countEqual(part.is_ahead, true) as ahead,
        arrayLast(one -> one.3 != '', arrayZip(part.event_time, part.id, part.device_type)) as last_device,
        arrayLast(one -> one.3 != '', arrayZip(part.event_time, part.id, part.country)) as last_country
    from by_session

)

select
    user_id,
    event_date,
    arraySort(one -> (one.first_at, one.client_session_id), groupArray(piece)) as pieces,
    -- Distances from midnight in microseconds, for "since the first exposure" in experiments.
    arraySort(arrayMap(one -> toUInt64(one % 86400000000), arrayFlatten(groupArray(micros)))) as micros_of_day,
    arraySort(arrayDistinct(arrayFlatten(groupArray(items)))) as item_hashes,
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
