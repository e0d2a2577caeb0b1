-- Users of an item by bucket of users, recounted for the buckets that new events touch: the number of an item's users
-- without reading all of them again.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='(item_id, item_bucket)'
) }}

with touched as (

    select distinct item_id, {{ item_bucket() }} as item_bucket
    from {{ keys_landed('int_item_users') }}
    where item_id != ''

),

counted as (

    select item_bucket, uniqExact(user_hash) as users
    from {{ ref('int_item_users') }}
    where item_bucket in (select item_bucket from touched)
    group by item_bucket

)

select
    touched.item_id as item_id,
    touched.item_bucket as item_bucket,
    counted.users as users,
    {{ run_version() }} as version
from touched
inner join counted on touched.item_bucket = counted.item_bucket
