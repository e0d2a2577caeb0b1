-- A view with FINAL over the recomputed rows: readers see one row a user at any moment of a run.
{{ config(materialized='view') }}

with users as (

    select * from {{ ref('int_user') }} {{ final() }}

)

select
    user_id,
    first_seen_at,
    last_seen_at,
    toUInt64(users.sessions) as sessions,
    days_active,
    total_interactions,
    views,
    clicks,
    add_to_carts,
    searches,
    purchases,
    cast(users.revenue as Decimal(38, 6)) as revenue,
    distinct_items,
    toString(last_device) as last_device,
    toString(last_country) as last_country
from users
