-- A view with FINAL over the recomputed rows of today's definitions: who reached what, and when. Funnel by funnel, so
-- that a question about one of them reads no other's rows.
{{ config(materialized='view') }}

{% for funnel in funnels() %}
{{ 'union all' if not loop.first }}
select
    cast({{ sql_text(funnel.name) }} as String) as funnel,
    entry_date,
    user_id,
    cast(attempts.device_type as String) as device_type,
    cast({{ sql_text(funnel.breakdown) }} as String) as breakdown,
    cast(attempts.breakdown_value as String) as breakdown_value,
    cast(is_bot as Bool) as is_bot,
    cast({{ funnel.ordered | string | lower }} as Bool) as is_ordered,
    {{ sql_texts(funnel.step_names) }}::Array(String) as step_names,
    furthest_step,
    cast(furthest_step = {{ funnel.size }} as Bool) as is_complete,
    step_times,
    step_times[1] as entered_at,
    step_times[-1] as furthest_at
from {{ ref('int_funnel_user') }} as attempts {{ final() }}
where funnel_key = {{ sql_text(funnel.key) }}
{% endfor %}
