-- Who is there now: the running minute and those before it, by device and over all devices. Users add up over
-- neither minutes nor devices, so this unites the minutes' sets.
{{ config(materialized='view') }}

{% for window in [5, 30] -%}
select
    toUInt8({{ window }}) as window_minutes,
    if(grouping(device) = 1, 'all', device) as device_type,
    uniqExactArray(user_hashes) as active_users,
    uniqExactArray(session_hashes) as active_sessions
from (
    select cast(device_type as String) as device, user_hashes, session_hashes
    from {{ source('live', 'minute_sets') }}
    where arrival = 'counted'
        and minute > toStartOfMinute(now('UTC')) - interval {{ window }} minute
        and minute <= now('UTC')
)
group by grouping sets ((device), ())
{{ 'union all' if not loop.last }}
{% endfor %}
