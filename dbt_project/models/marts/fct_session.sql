-- One row a session, unfolded from the rows of int_sessions (user x day with its list of sessions): when a late
-- event joins two sessions, the list is replaced as a whole, and no row is left over.
{{ config(materialized='view') }}

with days as (

    select * from {{ ref('int_sessions') }} {{ final() }}

)

select
    session.session_id as session_id,
    user_id,
    session.client_session_id as client_session_id,
    session_date,
    session.started_at as started_at,
    session.ended_at as ended_at,
    session.duration_us / 1000000 as duration_seconds,
    session.events as events,
    session.counts as events_by_type,
    session.counts['page_view'] as page_views,
    session.pages as pages,
    toUInt64(length(session.pages)) as unique_pages,
    session.items_viewed as items_viewed,
    toUInt64(length(session.items_viewed)) as distinct_items_viewed,
    session.search_queries as search_queries,
    session.referrers as referrers,
    toUInt64(length(session.referrers)) as distinct_referrers,
    session.user_agent as user_agent,
    session.ip_address as ip_address,
    session.device_type as device_type,
    session.country as country,
    if(empty(session.path), '', session.path[1]) as entry_page,
    if(empty(session.path), '', session.path[-1]) as exit_page,
    session.counts['purchase'] as purchases,
    session.revenue as revenue,
    session.counts['purchase'] > 0 as is_converted,
    session.counts['page_view'] <= 1
    and arrayAll(
        (kind, number) -> kind in ('page_view', 'scroll', 'hover'), mapKeys(session.counts), mapValues(session.counts)
    ) as is_bounced,
    session.is_bot as is_bot,
    session.bot_reasons as bot_reasons
from days
array join sessions as session
