-- Every event of a user's day is in exactly one session: events and money of the sessions are those of the days.
-- A session may reach into the next day, so users are compared, not days; users that a run is about to fold in
-- are left for the next look.
with days as (

    select
        user_id,
        sum(daily.interactions) as events,
        sum(daily.revenue) as revenue,
        max(version) as newest
    from {{ ref('int_user_daily') }} as daily final
    group by user_id

),

sessions as (

    select
        user_id,
        sum(arraySum(one -> one.events, begun.sessions)) as events,
        sum(arraySum(one -> one.revenue, begun.sessions)) as revenue
    from {{ ref('int_sessions') }} as begun final
    group by user_id

)

select days.user_id, days.events, sessions.events, days.revenue, sessions.revenue
from days
left join sessions on days.user_id = sessions.user_id
where (days.events != sessions.events or days.revenue != sessions.revenue)
    and days.newest <= (select max(version) from {{ ref('int_sessions') }})
