-- Experiment x variation x hour of first exposure x device x country: who was let in, which the test of the sample
-- ratio compares with the shares that were planned, whole and in parts.
{{ config(materialized='view') }}

with outcomes as (

    select *
    from {{ ref('int_experiment_outcomes') }} {{ final() }}
    where length(variations) = 1 and not is_bot

)

select
    experiment_name,
    outcomes.variations[1] as experiment_variation,
    toStartOfHour(exposed_at) as exposure_hour,
    device_type,
    country,
    count() as exposed_users
from outcomes
group by experiment_name, experiment_variation, exposure_hour, device_type, country
