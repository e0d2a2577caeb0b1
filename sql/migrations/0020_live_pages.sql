-- The page as staging has it: an address with a host begins with // or scheme://; what stands later in a path or a query
-- is part of it.
ALTER TABLE live.fill_page_sets {on_cluster} MODIFY QUERY
SELECT
    toStartOfMinute(toDateTime(event_time, 'UTC')) AS minute,
    device_type,
    multiIf(
        NOT match(page_url, '^([a-zA-Z][a-zA-Z0-9+.-]*:)?//'), cutQueryStringAndFragment(page_url),
        path(cutQueryStringAndFragment(page_url)) = '', '/',
        path(cutQueryStringAndFragment(page_url))
    ) AS page,
    groupUniqArray(toUInt32(sipHash64(event_id))) AS event_hashes
FROM raw.events
WHERE event_type = 'page_view' AND page_url != ''
    AND event_time <= ingested_at + INTERVAL 1 MINUTE AND event_time >= ingested_at - INTERVAL 6 HOUR
GROUP BY minute, device_type, page;
