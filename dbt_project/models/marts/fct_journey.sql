-- Day x device x move from one page (or kind of event) to the next, with where sessions enter and leave: the
-- edges of a Sankey diagram. Sessions that look like a bot's are left out.
{{ config(materialized='view') }}

with sessions as (

    select session_date, user_id, session
    from {{ ref('int_sessions') }} {{ final() }}
    array join sessions as session
    where not session.is_bot

),

moves as (

    select
        session_date,
        'page' as kind,
        session.device_type as device_type,
        session.session_id as session_id,
        user_id,
        arrayJoin(arrayZip(
            arrayConcat(['(entry)'], session.path), arrayConcat(session.path, ['(exit)'])
        )) as move
    from sessions
    where notEmpty(session.path)

    union all

    select
        session_date,
        'event' as kind,
        session.device_type as device_type,
        session.session_id as session_id,
        user_id,
        arrayJoin(arrayZip(
            arrayConcat(['(entry)'], session.steps), arrayConcat(session.steps, ['(exit)'])
        )) as move
    from sessions
    where notEmpty(session.steps)

)

select
    session_date,
    kind,
    device_type,
    move.1 as from_step,
    move.2 as to_step,
    count() as moves,
    uniqExact(session_id) as sessions,
    uniqExact(user_id) as users
from moves
group by session_date, kind, device_type, from_step, to_step
