-- Who has met an item: a set, so adding a pair twice changes nothing, and counting it is exact.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree()',
    order_by='(item_id, user_id)',
    post_hook='{{ record_watermark() }}'
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select distinct item_id, user_id
from events
where item_id != '' and {{ landed('int_events') }}
