-- The days of the last two days hold each event of them once. Events that landed since are left for the next look.
with events as (

    select toDate(event_time) as event_date, count() as events, sum(landed.revenue) as revenue
    from {{ ref('int_events') }} as landed final
    where event_time >= toStartOfDay(now('UTC')) - interval 2 day
    group by event_date

),

days as (

    select event_date, sum(interactions) as events, sum(daily.revenue) as revenue
    from {{ ref('int_user_daily') }} as daily final
    group by event_date

)

select events.event_date, events.events, days.events, events.revenue, days.revenue
from events
left join days on events.event_date = days.event_date
where (events.events != days.events or events.revenue != days.revenue)
    -- Both have come as far, so that no run is between them.
    and (
        select sumIf(kafka_offset, model = 'int_events') - sumIf(kafka_offset, model = 'int_user_daily')
        from ops.model_watermarks final
    ) = 0
