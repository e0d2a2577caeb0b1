-- User x month from its days and sessions, so that a user's row is put together from months.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    partition_by='toYYYYMM(month)',
    order_by='(user_id, month)',
    settings=dict(closed_partitions_in_one_part(), index_granularity=256),
    query_settings={'max_partitions_per_insert_block': 0, 'do_not_merge_across_partitions_select_final': 1}
) }}

with touched as (

    select distinct user_id, toDate(event_time) as event_date
    from {{ keys_landed('int_user_daily', 'int_sessions') }}

),

-- A session that a new event moved over a midnight begins at most two days away, perhaps in another month.
months as (

    select distinct user_id, toStartOfMonth(arrayJoin([event_date - 2, event_date, event_date + 2])) as month
    from touched

),

days as (

    select *, 1 as days_active, toStartOfMonth(event_date) as month
    from {{ ref('int_user_daily') }} {{ final() }}
    where user_id in (select user_id from months)
        and event_date >= (select min(months.month) from months)
        and (user_id, toStartOfMonth(event_date)) in (select user_id, months.month from months)

),

begun as (

    select
        user_id,
        toStartOfMonth(session_date) as month,
        -- Not length(sessions): with FINAL, that reads the sessions themselves.
        sum(sessions.size0) as sessions,
        sum(has_bot) as bot_days
    from {{ ref('int_sessions') }} {{ final() }}
    where user_id in (select user_id from months)
        and session_date >= (select min(months.month) from months)
        and (user_id, toStartOfMonth(session_date)) in (select user_id, months.month from months)
    group by user_id, month

)

select
    days.user_id as user_id,
    days.month as month,
    any(begun.sessions) as sessions,
    any(begun.bot_days) as bot_days,
    min(days.first_seen_at) as first_seen_at,
    max(days.last_seen_at) as last_seen_at,
    sum(days.days_active) as days_active,
    sum(days.interactions) as interactions,
    sum(days.page_views) as page_views,
    sum(days.clicks) as clicks,
    sum(days.add_to_carts) as add_to_carts,
    sum(days.searches) as searches,
    sum(days.purchases) as purchases,
    sum(days.revenue) as revenue,
    arraySort(arrayDistinct(arrayFlatten(groupArray(days.item_hashes)))) as item_hashes,
    max(days.last_device) as last_device,
    max(days.last_country) as last_country,
    {{ run_version() }} as version
from days
left join begun on days.user_id = begun.user_id and days.month = begun.month
group by days.user_id, days.month
