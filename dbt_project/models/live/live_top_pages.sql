-- One row a minute, device and page: sum the views over the minutes wanted and take the highest.
{{ config(materialized='view') }}

with counts as (

    {{ live_counts('page_sets', 'page') }}

)

select
    minute,
    cast(device_type as String) as device_type,
    page,
    counts.events as views
from counts
where {{ live_window('minute') }}
