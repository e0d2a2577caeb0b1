-- One row a session, unfolded from the rows of int_sessions (user x day with its list of sessions): when a late
-- event joins two sessions, the list is replaced as a whole, and no row is left over. Field by field, so that a
-- question reads only the fields it asks for.
{{ config(materialized='view') }}

with days as (

    select * from {{ ref('int_sessions') }} {{ final() }}

)

select
    session_id,
    user_id,
    client_session_id,
    session_date,
    started_at,
    ended_at,
    duration_us / 1000000 as duration_seconds,
    events,
    counts as events_by_type,
    page_views,
    pages,
    toUInt64(length(pages)) as unique_pages,
    items_viewed,
    toUInt64(length(items_viewed)) as distinct_items_viewed,
    search_queries,
    referrers,
    toUInt64(length(referrers)) as distinct_referrers,
    user_agent,
    ip_address,
    device_type,
    country,
    entry_page,
    exit_page,
    purchases,
    revenue,
    purchases > 0 as is_converted,
    is_bounced,
    is_bot,
    bot_reasons
from days
array join
    sessions.session_id as session_id,
    sessions.client_session_id as client_session_id,
    sessions.started_at as started_at,
    sessions.ended_at as ended_at,
    sessions.duration_us as duration_us,
    sessions.events as events,
    sessions.counts as counts,
    sessions.page_views as page_views,
    sessions.pages as pages,
    sessions.items_viewed as items_viewed,
    sessions.search_queries as search_queries,
    sessions.referrers as referrers,
    sessions.user_agent as user_agent,
    sessions.ip_address as ip_address,
    sessions.device_type as device_type,
    sessions.country as country,
    sessions.entry_page as entry_page,
    sessions.exit_page as exit_page,
    sessions.purchases as purchases,
    sessions.revenue as revenue,
    sessions.is_bounced as is_bounced,
    sessions.is_bot as is_bot,
    sessions.bot_reasons as bot_reasons
