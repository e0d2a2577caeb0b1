-- Day x device x move from one page (or kind of event) to the next, with where sessions enter and leave: the
-- edges of a Sankey diagram. Sessions that look like a bot's are left out.
{{ config(materialized='view') }}

with moves as (

    select
        session_date,
        'page' as kind,
        device_type,
        session_id,
        user_id,
        arrayJoin(arrayZip(arrayConcat(['(entry)'], path), arrayConcat(path, ['(exit)']))) as move
    from {{ ref('int_sessions') }} {{ final() }}
    array join
        sessions.path as path,
        sessions.device_type as device_type,
        sessions.session_id as session_id,
        sessions.is_bot as is_bot
    where notEmpty(path) and not is_bot
    union all
    select
        session_date,
        'event' as kind,
        device_type,
        session_id,
        user_id,
        arrayJoin(arrayZip(arrayConcat(['(entry)'], steps), arrayConcat(steps, ['(exit)']))) as move
    from {{ ref('int_sessions') }} {{ final() }}
    array join
        sessions.steps as steps,
        sessions.device_type as device_type,
        sessions.session_id as session_id,
        sessions.is_bot as is_bot
    where notEmpty(steps) and not is_bot

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
