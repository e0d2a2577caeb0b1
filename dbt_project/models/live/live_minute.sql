-- One row a minute and device. Filter by minute: only the rows asked for are read. A minute whose parts are merged has
-- one row, of which the arrays' sizes are enough (`length` would read the arrays in this query); sets are united only
-- for the few that have several. Between the readings a minute may get its second row: it then shows the fuller one
-- until the next look.
{{ config(materialized='view') }}

with split as (

    select minute, device_type, arrival
    from {{ source('live', 'minute_sets') }}
    group by minute, device_type, arrival
    having count() > 1

),

counts as (

    select
        minute,
        device_type,
        arrival,
        max(event_hashes.size0) as events,
        max(user_hashes.size0) as users,
        max(session_hashes.size0) as sessions
    from {{ source('live', 'minute_sets') }}
    where (minute, device_type, arrival) not in split
    group by minute, device_type, arrival

    union all

    select
        minute,
        device_type,
        arrival,
        length(groupUniqArrayArray(event_hashes)) as events,
        length(groupUniqArrayArray(user_hashes)) as users,
        length(groupUniqArrayArray(session_hashes)) as sessions
    from {{ source('live', 'minute_sets') }}
    where (minute, device_type, arrival) in split
    group by minute, device_type, arrival

),

minutes as (

    select
        minute,
        device_type,
        sumIf(counts.events, arrival = 'counted') as events,
        sumIf(counts.users, arrival = 'counted') as users,
        sumIf(counts.sessions, arrival = 'counted') as sessions,
        sumIf(counts.events, arrival = 'too late') as too_late,
        sumIf(counts.events, arrival = 'too early') as too_early
    from counts
    group by minute, device_type

),

sales as (

    select
        minute,
        device_type,
        count() as purchases,
        sum(sold.revenue) as revenue,
        uniqExact(session_hash) as buying_sessions
    from ({{ live_sales() }}) as sold
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
