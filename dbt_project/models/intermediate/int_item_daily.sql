-- Item x day from its hours, so that an item's row is summed from its days, however long its history.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    engine='ReplacingMergeTree(version)',
    partition_by='toYYYYMM(event_date)',
    order_by='(item_id, event_date)',
    settings=dict(closed_partitions_in_one_part(), index_granularity=1024),
    query_settings={'max_partitions_per_insert_block': 0, 'do_not_merge_across_partitions_select_final': 1}
) }}

with touched as (

    select distinct toDate(event_time) as event_date, item_id
    from {{ keys_landed('int_item_hourly') }}
    where item_id != ''

),

hours as (

    select *, toDate(event_hour) as event_date
    from {{ ref('int_item_hourly') }} {{ final() }}
    where item_id in (select item_id from touched)
        and event_hour >= (select toDateTime(min(touched.event_date), 'UTC') from touched)
        and (item_id, toDate(event_hour)) in (select item_id, touched.event_date from touched)

)

select
    item_id,
    event_date,
    max(hours.last_category) as last_category,
    sum(hours.views) as views,
    sum(hours.clicks) as clicks,
    sum(hours.add_to_carts) as add_to_carts,
    sum(hours.purchases) as purchases,
    sum(hours.bot_views) as bot_views,
    sum(hours.bot_add_to_carts) as bot_add_to_carts,
    sum(hours.bot_purchases) as bot_purchases,
    sum(hours.units) as units,
    sum(hours.revenue) as revenue,
    sum(hours.interactions) as interactions,
    max(hours.last_event_at) as last_event_at,
    {{ run_version() }} as version
from hours
group by item_id, event_date
