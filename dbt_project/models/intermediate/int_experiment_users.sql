-- First and last exposure and the variations a user has seen: minimum, maximum and a set, which give the same
-- answer however often and in whatever order they are told, so only new exposures need to be read.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='AggregatingMergeTree()',
    order_by='(user_id, experiment_name)',
    settings={'index_granularity': 512}
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select
    user_id,
    experiment_name,
    cast(
        min((event_time, UUIDToNum(event_id), toString(device_type), toString(country)))
        as SimpleAggregateFunction(min, Tuple(DateTime64(6, 'UTC'), FixedString(16), String, String))
    ) as first_exposure,
    cast(max(event_time) as SimpleAggregateFunction(max, DateTime64(6, 'UTC'))) as last_exposed_at,
    cast(
        groupUniqArray(toString(experiment_variation))
        as SimpleAggregateFunction(groupUniqArrayArray, Array(String))
    ) as variations
from events
where experiment_name != '' and experiment_variation != '' and {{ landed('int_events') }}
group by user_id, experiment_name
