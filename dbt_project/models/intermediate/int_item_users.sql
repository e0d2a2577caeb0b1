-- Who has met an item: a set, so adding a pair twice changes nothing, and counting it is exact. An item's users lie
-- in 1,024 buckets, and int_item_user_counts counts again only those that new events touch: a bucket of an item is
-- one number, because millions of rows are looked up by it in a run, and granules are small.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree()',
    order_by='(item_bucket, item_id, user_id)',
    settings={'index_granularity': 128}
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select distinct {{ item_bucket() }} as item_bucket, item_id, user_id
from events
where item_id != '' and {{ landed('int_events') }}
