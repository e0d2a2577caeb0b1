-- Who has met an item: a set, so adding a pair twice changes nothing. An item's users lie in 256 buckets, and
-- int_item_user_counts counts again only those that new events touch. A bucket of an item is one number and so is a
-- user, because millions of rows are looked up and counted in a run. To look up a granule costs as much as to read
-- some 1,000 rows, so granules are of as many. Of the users of one bucket, a few hundred, two share a number with a
-- chance of one in 10^14.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree()',
    order_by='(item_bucket, user_hash)',
    settings={'index_granularity': 1024}
) }}

with events as (

    select * from {{ ref('stg_events') }}

)

select distinct {{ item_bucket() }} as item_bucket, sipHash64(user_id) as user_hash
from events
where item_id != '' and {{ landed('int_events') }}
