-- User x UTC day: the sessions that begin on that day, put together from the pieces in int_user_daily. Two pieces
-- on both sides of a midnight are one session if they carry the same client id (or none, and the pause is short)
-- and are at most the cap apart. Pieces over three days are longer than any cap, so such a chain is cut at each of
-- its midnights. What an event can change is therefore at most two days away, and only that is recomputed. Small
-- granules in small blocks: of one user's sessions each part is asked for all of its many columns.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    partition_by='toYYYYMM(session_date)',
    order_by='(user_id, session_date)',
    settings=dict(closed_partitions_in_one_part(), index_granularity=128, min_compress_block_size=8192),
    query_settings={'max_partitions_per_insert_block': 0, 'do_not_merge_across_partitions_select_final': 1}
) }}

with touched as (

    select distinct user_id, toDate(event_time) as event_date
    from {{ keys_landed('int_user_daily') }}

),

around as (

    select distinct user_id, event_date + arrayJoin(range(9)) - 4 as event_date from touched

),

days as (

    select user_id, event_date, pieces
    from {{ ref('int_user_daily') }} {{ final() }}
    where (user_id, event_date) in (select user_id, around.event_date from around)

),

pieces as (

    select
        user_id,
        event_date,
        arrayJoin(pieces) as piece,
        lagInFrame(piece.first_at, 1) over neighbours as first_before,
        lagInFrame(piece.last_at, 1) over neighbours as last_before,
        toDate(first_before) = event_date - 1
        and piece.last_at <= first_before + interval {{ var('session_cap_hours') }} hour
        and (
            piece.client_session_id != ''
            or piece.first_at <= last_before + interval {{ var('session_idle_minutes') }} minute
        ) as is_near
    from days
    window neighbours as (
        partition by user_id, piece.client_session_id order by event_date, piece.first_at
        rows between unbounded preceding and unbounded following
    )

),

linked as (

    select
        *,
        is_near
        and not lagInFrame(is_near, 1, false) over neighbours
        and not leadInFrame(is_near, 1, false) over neighbours as goes_on
    from pieces
    window neighbours as (
        partition by user_id, piece.client_session_id order by event_date, piece.first_at
        rows between unbounded preceding and unbounded following
    )

),

-- A piece that goes over to the day before leaves its own day without it, perhaps without any.
placed as (

    select
        *,
        arrayJoin(if(goes_on, [event_date - 1, event_date], [event_date])) as session_date,
        goes_on and session_date = event_date as has_gone
    from linked

),

joined as (

    select
        user_id,
        session_date,
        arraySort(one -> one.first_at, groupArrayIf(piece, not has_gone)) as parts
    from placed
    where (user_id, session_date) in (select user_id, event_date + arrayJoin(range(5)) - 2 from touched)
    group by user_id, session_date, piece.client_session_id, if(goes_on, first_before, piece.first_at)

)

-- An empty list replaces what was there.
select
    user_id,
    session_date,
    arraySort(one -> (one.started_at, one.session_id), groupArrayIf({{ joined_pieces() }}, notEmpty(parts))) as sessions,
    has(tupleElement(sessions, 'is_bot'), true) as has_bot,
    {{ run_version() }} as version
from joined
group by user_id, session_date
