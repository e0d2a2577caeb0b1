-- Experiment x exposed user: what came before the first exposure, which no variation can have changed (CUPED), and how
-- many events in all, so that what came after is the difference from the user's total. Recomputed only for users with
-- new events at or before their exposure, the exposure itself among them: whole months, then the days that are left.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='(user_id, experiment_name)',
    settings={'index_granularity': 512}
) }}

{% set history = var('experiment_history_days') %}
{% set in_history -%}
    days.event_date >= changed.exposed_date - {{ history }} and days.event_date < changed.exposed_date
{%- endset %}

with touched as (

    select user_id, min(event_time) as earliest
    from {{ keys_landed('int_experiment_users', 'int_user_monthly') }}
    group by user_id

),

exposed as (

    select
        user_id,
        cast(people.experiment_name as String) as experiment_name,
        min(people.first_exposure).1 as exposed_at,
        toDate(exposed_at) as exposed_date,
        toStartOfMonth(exposed_date) as exposed_month
    from {{ ref('int_experiment_users') }} as people
    where user_id in (select user_id from touched)
    group by user_id, experiment_name

),

changed as (

    select exposed.*
    from exposed
    inner join touched on exposed.user_id = touched.user_id
    where touched.earliest <= exposed.exposed_at

),

months as (

    select changed.user_id as user_id, changed.experiment_name as experiment_name, sum(monthly.interactions) as events
    from changed
    inner join (
        select user_id, month, interactions
        from {{ ref('int_user_monthly') }} {{ final() }}
        where user_id in (select user_id from changed)
    ) as monthly on changed.user_id = monthly.user_id
    where monthly.month < changed.exposed_month
    group by user_id, experiment_name

),

days as (

    select user_id, event_date, interactions, purchases, revenue, micros_of_day
    from {{ ref('int_user_daily') }} {{ final() }}
    where (event_date, user_id) in (
        select arrayJoin(arrayMap(
            back -> exposed_date - back, range(greatest({{ history }}, exposed_date - exposed_month) + 1)
        )), user_id
        from changed
    )

)

select
    changed.experiment_name as experiment_name,
    changed.user_id as user_id,
    any(months.events)
    + sumIf(days.interactions, days.event_date >= changed.exposed_month and days.event_date < changed.exposed_date)
    + sumIf(
        arrayCount(at -> at < toUnixTimestamp64Micro(changed.exposed_at) % 86400000000, days.micros_of_day),
        days.event_date = changed.exposed_date
    ) as events_before,
    sumIf(days.interactions, {{ in_history }}) as pre_events,
    sumIf(days.purchases, {{ in_history }}) as pre_purchases,
    sumIf(days.revenue, {{ in_history }}) as pre_revenue,
    {{ run_version() }} as version
from changed
inner join days on changed.user_id = days.user_id
left join months on changed.user_id = months.user_id and changed.experiment_name = months.experiment_name
group by changed.experiment_name, changed.user_id
