-- One row a UTC day of the event: totals to reconcile the other marts with, and what came late or from a clock
-- that is ahead, so that nobody has to guess how much a day may still change.
{{ config(materialized='view') }}

with days as (

    select * from {{ ref('int_user_daily') }} {{ final() }}

)

select
    event_date,
    count() as active_users,
    sum(interactions) as events,
    sum(days.page_views) as views,
    sum(days.purchases) as purchases,
    cast(sum(days.revenue) as Decimal(38, 6)) as revenue,
    sum(days.late_events) as late_events,
    sum(days.ahead_events) as ahead_events
from days
group by event_date
