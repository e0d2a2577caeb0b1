-- One row a minute and device. Filter by minute: only the rows asked for are read.
{{ config(materialized='view') }}

with minutes as (

    select
        minute,
        device_type,
        sumIf(length(event_hashes), arrival = 'counted') as events,
        sumIf(length(user_hashes), arrival = 'counted') as users,
        sumIf(length(session_hashes), arrival = 'counted') as sessions,
        sumIf(length(event_hashes), arrival = 'too late') as too_late,
        sumIf(length(event_hashes), arrival = 'too early') as too_early
    from {{ source('live', 'minute_sets') }} {{ final() }}
    group by minute, device_type

),

sales as (

    select
        minute,
        device_type,
        count() as purchases,
        sum(sold.revenue) as revenue,
        uniqExact(session_hash) as buying_sessions
    from {{ source('live', 'purchases') }} as sold {{ final() }}
    group by minute, device_type

)

select
    minutes.minute as minute,
    cast(minutes.device_type as String) as device_type,
    minutes.events as events,
    minutes.users as active_users,
    minutes.sessions as sessions,
    sales.purchases as purchases,
    cast(sales.revenue as Decimal(38, 6)) as revenue,
    sales.buying_sessions as buying_sessions,
    if(minutes.sessions = 0, null, sales.buying_sessions / minutes.sessions) as conversion,
    minutes.too_late as too_late,
    minutes.too_early as too_early
from minutes
left join sales on minutes.minute = sales.minute and minutes.device_type = sales.device_type
where {{ live_window('minutes.minute') }}
