-- fct_user counts the sessions that fct_session shows.
with sessions as (

    select user_id, sum(length(begun.sessions)) as sessions, max(version) as newest
    from {{ ref('int_sessions') }} as begun final
    group by user_id

)

select sessions.user_id, sessions.sessions, users.sessions
from sessions
left join (select user_id, sessions from {{ ref('int_user') }} final) as users on sessions.user_id = users.user_id
where sessions.sessions != users.sessions
    and sessions.newest <= (select max(version) from {{ ref('int_user') }})
