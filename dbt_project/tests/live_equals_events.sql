-- Closed minutes of live_minute are what raw.events holds, each event once. What landed a minute ago or earlier must
-- be in live; live may be ahead of this reading only by what lands while it runs, so a few more are let pass. Minutes
-- that ended between 2 and 32 minutes ago are looked at. What is found here, `dbt run-operation mend_live` mends.
with events as (

    select
        toStartOfMinute(toDateTime(event_time, 'UTC')) as minute,
        cast(device_type as String) as device_type,
        ingested_at < now64(3, 'UTC') - interval 1 minute as is_settled,
        toUInt32(sipHash64(event_id)) as event_hash,
        toUInt32(sipHash64(user_id)) as user_hash,
        (user_id, event_time, event_id) as sale,
        event_type = 'purchase' as is_sale,
        revenue
    from {{ ref('stg_events') }}
    where ingested_at >= now64(3, 'UTC') - interval 34 minute
        and event_time >= toStartOfMinute(now('UTC')) - interval 32 minute
        and event_time < toStartOfMinute(now('UTC')) - interval 2 minute
        and event_time <= ingested_at + interval 1 minute

),

minutes as (

    select
        minute,
        device_type,
        uniqExactIf(event_hash, is_settled) as settled_events,
        uniqExactIf(user_hash, is_settled) as settled_users,
        uniqExactIf(sale, is_sale and is_settled) as settled_purchases,
        uniqExact(event_hash) as events,
        uniqExactIf(sale, is_sale) as purchases
    from events
    group by minute, device_type

),

sales as (

    select minute, device_type, sum(revenue) as revenue
    from (select distinct minute, device_type, sale, revenue from events where is_sale)
    group by minute, device_type

)

select
    minutes.minute, minutes.device_type, minutes.events, live.events, minutes.settled_users, live.active_users,
    minutes.purchases, live.purchases, sales.revenue, live.revenue
from minutes
left join sales on minutes.minute = sales.minute and minutes.device_type = sales.device_type
left join {{ ref('live_minute') }} as live
    on minutes.minute = live.minute and minutes.device_type = live.device_type
where minutes.settled_events > live.events
    or minutes.settled_users > live.active_users
    or minutes.settled_purchases > live.purchases
    or live.events > minutes.events + greatest(10, minutes.events / 1000)
    or live.purchases > minutes.purchases + 1
    or (live.purchases = minutes.purchases and live.revenue != sales.revenue)
