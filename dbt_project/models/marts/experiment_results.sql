-- The newest look at each experiment, by variation and metric; the statistics are computed outside dbt.
{{ config(materialized='view') }}

with looks as (

    select * from {{ source('ops', 'experiment_results') }}

)

select *
from looks
where (experiment_name, computed_at) in (
    select experiment_name, max(computed_at) from looks group by experiment_name
)
