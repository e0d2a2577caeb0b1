-- The last look of each hour at each experiment: how the intervals narrowed while it ran.
{{ config(materialized='view') }}

with looks as (

    select * from {{ source('ops', 'experiment_results') }}

)

select
    toStartOfHour(computed_at) as computed_hour,
    looks.*
from looks
where (experiment_name, computed_at) in (
    select experiment_name, max(computed_at) from looks group by experiment_name, toStartOfHour(computed_at)
)
