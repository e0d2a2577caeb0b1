-- One row a minute, device and page: sum the views over the minutes wanted and take the highest.
{{ config(materialized='view') }}

select
    minute,
    cast(device_type as String) as device_type,
    page,
    {{ 'sum(length(event_hashes))' if is_sharded() else 'length(event_hashes)' }} as views
from {{ source('live', 'page_sets') }} {{ final() }}
where {{ live_window('minute') }}
{{ 'group by minute, device_type, page' if is_sharded() }}
