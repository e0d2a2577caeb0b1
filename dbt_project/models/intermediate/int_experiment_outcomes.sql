-- Experiment x exposed user, recomputed for the exposed users that new events touch: what the user did from the
-- first exposure on, and in the days before it, which no variation can have changed (CUPED).
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='(experiment_name, user_id)',
    post_hook='{{ record_watermark() }}'
) }}

{% set history = var('experiment_history_days') %}

with touched as (

    select distinct user_id
    from {{ ref('stg_events') }}
    where {{ landed('int_experiment_users', 'int_purchases', 'int_user_daily', 'int_sessions') }}

),

exposed as (

    select
        user_id,
        cast(people.experiment_name as String) as experiment_name,
        min(people.first_exposure) as first_exposure,
        toDateTime64(max(people.last_exposed_at), 6, 'UTC') as last_exposed_at,
        arraySort(groupUniqArrayArray(people.variations)) as variations,
        first_exposure.1 as exposed_at
    from {{ ref('int_experiment_users') }} as people
    where user_id in (select user_id from touched)
    group by user_id, experiment_name

),

bought as (

    select
        exposed.user_id as user_id,
        exposed.experiment_name as experiment_name,
        count() as conversions,
        sum(purchases.revenue) as revenue
    from exposed
    inner join {{ ref('int_purchases') }} as purchases {{ final() }} on exposed.user_id = purchases.user_id
    -- Only what comes at or after the first exposure can be its effect.
    where purchases.event_time >= exposed.exposed_at
    group by user_id, experiment_name

),

days as (

    select user_id, event_date, interactions, purchases, revenue, micros_of_day
    from {{ ref('int_user_daily') }} {{ final() }}
    where user_id in (select user_id from exposed)
        and event_date >= (select toDate(min(exposed.exposed_at)) - {{ history }} from exposed)

),

active as (

    select
        exposed.user_id as user_id,
        exposed.experiment_name as experiment_name,
        toDate(exposed.exposed_at) as exposed_date,
        sumIf(days.interactions, days.event_date > exposed_date) + sumIf(
            arrayCount(at -> at >= toUnixTimestamp64Micro(exposed.exposed_at) % 86400000000, days.micros_of_day),
            days.event_date = exposed_date
        ) as events,
        sumIf(days.interactions, days.event_date < exposed_date) as pre_events,
        sumIf(days.purchases, days.event_date < exposed_date) as pre_purchases,
        sumIf(days.revenue, days.event_date < exposed_date) as pre_revenue
    from exposed
    inner join days on exposed.user_id = days.user_id
    where days.event_date >= toDate(exposed.exposed_at) - {{ history }}
    group by exposed.user_id, exposed.experiment_name, exposed.exposed_at

)

select
    exposed.experiment_name as experiment_name,
    exposed.user_id as user_id,
    exposed.variations as variations,
    exposed.exposed_at as exposed_at,
    exposed.last_exposed_at as last_exposed_at,
    exposed.first_exposure.3 as device_type,
    exposed.first_exposure.4 as country,
    exposed.user_id in (
        select user_id from {{ ref('int_sessions') }} {{ final() }}
        where has_bot and user_id in (select user_id from exposed)
    ) as is_bot,
    bought.conversions as conversions,
    bought.revenue as revenue,
    active.events as events,
    active.pre_events as pre_events,
    active.pre_purchases as pre_purchases,
    active.pre_revenue as pre_revenue,
    {{ run_version() }} as version
from exposed
inner join active
    on exposed.user_id = active.user_id and exposed.experiment_name = active.experiment_name
left join bought
    on exposed.user_id = bought.user_id and exposed.experiment_name = bought.experiment_name
