-- Experiment x variation, summed over the exposed users.
{{ config(materialized='view') }}

with outcomes as (

    select {{ exposed_by_variation() }} from {{ ref('int_experiment_outcomes') }} {{ final() }}

)

select
    experiment_name,
    experiment_variation,
    {{ experiment_sums() }},
    min(exposed_at) as first_exposure_at,
    max(last_exposed_at) as last_exposure_at
from outcomes
group by experiment_name, experiment_variation
