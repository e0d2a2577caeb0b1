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
    toUInt64(users.days_active) as days_active,
    toUInt64(interactions) as total_interactions,
    page_views as views,
    clicks,
    add_to_carts,
    searches as searches,
    purchases,
    cast(users.revenue as Decimal(38, 6)) as revenue,
    distinct_items,
    toString(users.last_device.3) as last_device,
    toString(users.last_country.3) as last_country
from users
