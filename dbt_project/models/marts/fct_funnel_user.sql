-- A view with FINAL over the recomputed rows of today's definitions: who reached what, and when.
{{ config(materialized='view') }}

with attempts as (

    select * from {{ ref('int_funnel_user') }} {{ final() }} where funnel_key in {{ funnel_keys(funnels()) }}

)

select
    {{ funnel_value('name', 'String') }} as funnel,
    entry_date,
    user_id,
    cast(attempts.device_type as String) as device_type,
    {{ funnel_value('breakdown', 'String') }} as breakdown,
    cast(attempts.breakdown_value as String) as breakdown_value,
    cast(is_bot as Bool) as is_bot,
    {{ funnel_value('ordered', 'Bool') }} as is_ordered,
    {{ funnel_value('step_names', 'Array(String)') }} as step_names,
    furthest_step,
    cast(furthest_step = length(step_names) as Bool) as is_complete,
    step_times,
    step_times[1] as entered_at,
    step_times[-1] as furthest_at
from attempts
