-- First and last exposure and the variations a user has seen: minimum, maximum and a set, which give the same
-- answer however often and in whatever order they are told, so only new exposures need to be read.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='AggregatingMergeTree()',
    order_by='(experiment_name, user_id)',
    post_hook='{{ record_watermark() }}'
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select
    experiment_name,
    user_id,
    cast(min(event_time) as SimpleAggregateFunction(min, DateTime64(6, 'UTC'))) as first_exposed_at,
    cast(max(event_time) as SimpleAggregateFunction(max, DateTime64(6, 'UTC'))) as last_exposed_at,
    cast(
        groupUniqArray(toString(experiment_variation))
        as SimpleAggregateFunction(groupUniqArrayArray, Array(String))
    ) as variations
from events
where experiment_name != '' and experiment_variation != '' and {{ landed('int_events') }}
group by experiment_name, user_id
