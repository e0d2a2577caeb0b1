-- Experiment x variation, rebuilt whole and swapped in: it reads one row an exposed user and one a purchase,
-- which stay small beside the events. A user seen in two variations is counted apart and belongs to neither.
{{ config(materialized='table', engine='MergeTree()', order_by='(experiment_name, experiment_variation)') }}

with exposures as (

    select
        experiment_name,
        user_id,
        min(people.first_exposed_at) as first_exposed_at,
        max(people.last_exposed_at) as last_exposed_at,
        groupUniqArrayArray(variations) as seen
    from {{ ref('int_experiment_users') }} as people
    group by experiment_name, user_id

),

purchases as (

    select * from {{ ref('int_purchases') }} {{ final() }}

),

bought as (

    select
        exposures.experiment_name as experiment_name,
        exposures.user_id as user_id,
        count() as conversions,
        sum(purchases.revenue) as revenue
    from exposures
    inner join purchases on exposures.user_id = purchases.user_id
    -- Only what comes at or after the first exposure can be its effect.
    where purchases.event_time >= exposures.first_exposed_at
    group by experiment_name, user_id

),

users as (

    select
        exposures.experiment_name as experiment_name,
        arrayJoin(exposures.seen) as experiment_variation,
        length(exposures.seen) > 1 as is_mixed,
        exposures.first_exposed_at as first_exposed_at,
        exposures.last_exposed_at as last_exposed_at,
        bought.conversions as conversions,
        toDecimal256(bought.revenue, 6) as revenue
    from exposures
    left join bought
        on exposures.experiment_name = bought.experiment_name and exposures.user_id = bought.user_id

)

select
    cast(users.experiment_name as String) as experiment_name,
    experiment_variation,
    countIf(not is_mixed) as exposed_users,
    countIf(not is_mixed and users.conversions > 0) as converted_users,
    sumIf(users.conversions, not is_mixed) as conversions,
    cast(sumIf(users.revenue, not is_mixed) as Decimal(76, 6)) as revenue,
    cast(sumIf(users.revenue * users.revenue, not is_mixed) as Decimal(76, 12)) as revenue_sum_squares,
    countIf(is_mixed) as mixed_users,
    toDateTime64(min(users.first_exposed_at), 6, 'UTC') as first_exposure_at,
    toDateTime64(max(users.last_exposed_at), 6, 'UTC') as last_exposure_at
from users
group by users.experiment_name, experiment_variation
