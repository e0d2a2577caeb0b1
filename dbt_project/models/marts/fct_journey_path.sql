-- Day x device x the first pages of a session, in order: the top paths and how often each ends in a purchase.
-- Sessions that look like a bot's are left out.
{{ config(materialized='view') }}

with sessions as (

    select session_date, user_id, path, device_type, purchases, revenue
    from {{ ref('int_sessions') }} {{ final() }}
    array join
        sessions.path as path,
        sessions.device_type as device_type,
        sessions.purchases as purchases,
        sessions.revenue as revenue,
        sessions.is_bot as is_bot
    where notEmpty(path) and not is_bot

)

select
    session_date,
    device_type,
    arraySlice(sessions.path, 1, 5) as path,
    length(sessions.path) > 5 as goes_on,
    count() as sessions,
    uniqExact(user_id) as users,
    countIf(purchases > 0) as converted_sessions,
    sum(sessions.revenue) as revenue
from sessions
group by session_date, device_type, path, goes_on
