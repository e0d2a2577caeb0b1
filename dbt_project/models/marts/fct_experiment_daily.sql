-- Experiment x variation x UTC day of the users' first exposure: the same sums as fct_experiment, to which the
-- days add up, with all that these users have done until now.
{{ config(materialized='view') }}

with outcomes as (

    select {{ exposed_by_variation() }} from {{ ref('int_experiment_outcomes') }} {{ final() }}

)

select
    experiment_name,
    experiment_variation,
    toDate(exposed_at) as exposure_date,
    {{ experiment_sums() }}
from outcomes
group by experiment_name, experiment_variation, exposure_date
