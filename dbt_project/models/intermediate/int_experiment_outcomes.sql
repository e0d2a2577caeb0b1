-- Experiment x exposed user, recomputed for the exposed users that new events touch: what the user did from the
-- first exposure on (the user's total less what came before), and in the days before it.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='(experiment_name, user_id)'
) }}

with touched as (

    select distinct user_id
    from {{ keys_landed('int_purchases', 'int_user', 'int_experiment_baseline') }}

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
    inner join (
        select user_id, event_time, revenue
        from {{ ref('int_purchases') }} {{ final() }}
        where user_id in (select user_id from exposed)
    ) as purchases on exposed.user_id = purchases.user_id
    -- Only what comes at or after the first exposure can be its effect.
    where purchases.event_time >= exposed.exposed_at
    group by user_id, experiment_name

),

users as (

    select user_id, interactions, bot_days
    from {{ ref('int_user') }} {{ final() }}
    where user_id in (select user_id from exposed)

),

baseline as (

    select *
    from {{ ref('int_experiment_baseline') }} {{ final() }}
    where user_id in (select user_id from exposed)

)

select
    exposed.experiment_name as experiment_name,
    exposed.user_id as user_id,
    exposed.variations as variations,
    exposed.exposed_at as exposed_at,
    exposed.last_exposed_at as last_exposed_at,
    exposed.first_exposure.3 as device_type,
    exposed.first_exposure.4 as country,
    users.bot_days > 0 as is_bot,
    bought.conversions as conversions,
    bought.revenue as revenue,
    -- One of the two may be a run ahead of the other, until the next run.
    toUInt64(greatest(toInt64(users.interactions) - toInt64(baseline.events_before), 0)) as events,
    baseline.pre_events as pre_events,
    baseline.pre_purchases as pre_purchases,
    baseline.pre_revenue as pre_revenue,
    {{ run_version() }} as version
from exposed
inner join users on exposed.user_id = users.user_id
inner join baseline
    on exposed.user_id = baseline.user_id and exposed.experiment_name = baseline.experiment_name
left join bought
    on exposed.user_id = bought.user_id and exposed.experiment_name = bought.experiment_name
