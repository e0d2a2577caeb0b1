-- Who has met an item: a set, so adding a pair twice changes nothing, and counting it is exact. In 1,024 buckets
-- of users, in small granules: int_item_user_counts reads again only the buckets that new events touch.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree()',
    order_by='(item_id, user_bucket, user_id)',
    settings={'index_granularity': 128},
    post_hook='{{ record_watermark() }}'
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select distinct item_id, toUInt16(cityHash64(user_id) % 1024) as user_bucket, user_id
from events
where item_id != '' and {{ landed('int_events') }}
