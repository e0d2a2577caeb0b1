-- Funnel x day of entry x device x breakdown value x step, counted when it is read, from one row a user and day.
{{ config(materialized='view') }}

with attempts as (

    select * from {{ ref('fct_funnel_user') }} {% if var('funnel_exclude_bots') %}where not is_bot{% endif %}

),

steps as (

    select *, arrayJoin(arrayEnumerate(step_names)) as step from attempts

),

counted as (

    select
        funnel,
        entry_date,
        device_type,
        breakdown,
        breakdown_value,
        steps.step as step,
        if(any(is_ordered), any(step_names)[step], concat('any ', toString(step))) as step_name,
        count() as entered,
        countIf(furthest_step >= step) as users,
        countIf(furthest_step >= step - 1) as users_before,
        quantileExactInclusiveIf(0.5)(
            dateDiff('microsecond', step_times[step - 1], step_times[step]), step > 1 and furthest_step >= step
        ) / 1e6 as from_previous,
        quantileExactInclusiveIf(0.5)(
            dateDiff('microsecond', step_times[1], step_times[step]), step > 1 and furthest_step >= step
        ) / 1e6 as from_first
    from steps
    group by funnel, entry_date, device_type, breakdown, breakdown_value, step

)

select
    funnel,
    entry_date,
    device_type,
    breakdown,
    breakdown_value,
    cast(step as UInt8) as step,
    step_name,
    users,
    cast(users / entered as Float64) as conversion_from_first,
    if(users_before = 0, null, users / users_before) as conversion_from_previous,
    if(step = 1 or users = 0, null, from_previous) as median_seconds_from_previous,
    if(step = 1 or users = 0, null, from_first) as median_seconds_from_first
from counted
