-- Day x device x the first pages of a session, in order: the top paths and how often each ends in a purchase.
-- Sessions that look like a bot's are left out.
{{ config(materialized='view') }}

with sessions as (

    select session_date, user_id, session
    from {{ ref('int_sessions') }} {{ final() }}
    array join sessions as session
    where not session.is_bot and notEmpty(session.path)

)

select
    session_date,
    session.device_type as device_type,
    arraySlice(session.path, 1, 5) as path,
    length(session.path) > 5 as goes_on,
    count() as sessions,
    uniqExact(user_id) as users,
    countIf(session.counts['purchase'] > 0) as converted_sessions,
    sum(session.revenue) as revenue
from sessions
group by session_date, device_type, path, goes_on
