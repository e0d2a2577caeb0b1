-- Item x hour, recomputed for the pairs that new events touch; the row of the run that saw most wins.
-- Sorted by item first, because fct_item sums all hours of the touched items.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    order_by='(item_id, event_hour)',
    post_hook='{{ record_watermark() }}'
) }}

with touched as (

    select distinct event_hour, item_id
    from {{ ref('stg_events') }}
    where item_id != '' and {{ landed('int_events') }}

),

events as (

    select *
    from {{ ref('int_events') }} {{ final() }}
    where event_hour in (select event_hour from touched)
        and (event_hour, item_id) in (select event_hour, item_id from touched)

)

select
    item_id,
    event_hour,
    argMaxIf(events.item_category, (event_time, UUIDToNum(event_id)), events.item_category != '') as item_category,
    maxIf((event_time, UUIDToNum(event_id)), events.item_category != '') as category_seen,
    countIf(event_type = 'page_view') as views,
    countIf(event_type = 'click') as clicks,
    countIf(event_type = 'add_to_cart') as add_to_carts,
    countIf(event_type = 'purchase') as purchases,
    sumIf(quantity, event_type = 'purchase') as units,
    sum(events.revenue) as revenue,
    uniqExact(user_id) as unique_users,
    count() as interactions,
    max(event_time) as last_event_at,
    {{ run_version() }} as version
from events
group by item_id, event_hour
