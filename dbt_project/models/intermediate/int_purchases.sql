-- Each purchase once, sorted by buyer: what experiments join their exposed users to.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(earliness)',
    order_by='(user_id, event_time, event_id)',
    settings={'index_granularity': 512}
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select user_id, event_time, event_id, item_id, revenue, earliness
from events
where event_type = 'purchase' and {{ landed('int_events') }}
