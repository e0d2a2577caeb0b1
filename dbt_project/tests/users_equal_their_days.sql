-- A user's row is the sum of the user's days, in money and in events, and every day has its user. A run may be
-- between the two models, so days that are newer than the newest user row are left for the next look.
with days as (

    select
        user_id,
        sum(daily.revenue) as revenue,
        sum(daily.interactions) as interactions
    from {{ ref('int_user_daily') }} as daily final
    group by user_id
    having max(version) <= (select max(version) from {{ ref('int_user') }})

),

users as (

    select * from {{ ref('int_user') }} final

)

select days.user_id, days.revenue, users.revenue, days.interactions, users.interactions
from days
left join users on days.user_id = users.user_id
where days.revenue != users.revenue or days.interactions != users.interactions
