-- What happens now, by minute and device: sets that views on raw.events add to with every insert. Each table holds
-- sets or keyed rows, never sums, so an insert that is told twice changes nothing, a client's repeats count once,
-- and what a failed view left out is mended by telling it again (see docs/adr/0006).
--
-- A set is an array of 32-bit hashes: of n members about n * n / 2^33 fall together, 1 of 93,000. Plain arrays are
-- read fifty times faster than states of uniq. An event belongs to the minute it happened in. One that lands more
-- than 6 hours late, or more than a minute before its own time, is counted in `arrival` at the minute it landed in,
-- and nowhere else: a wrong clock must not change what is seen now or in the next hours.
CREATE TABLE IF NOT EXISTS live.minute_sets {on_cluster}
(
    minute         DateTime('UTC'),
    device_type    LowCardinality(String),
    arrival        Enum8('counted' = 1, 'too late' = 2, 'too early' = 3),
    event_hashes   SimpleAggregateFunction(groupUniqArrayArray, Array(UInt32)) CODEC(NONE),
    user_hashes    SimpleAggregateFunction(groupUniqArrayArray, Array(UInt32)) CODEC(NONE),
    session_hashes SimpleAggregateFunction(groupUniqArrayArray, Array(UInt32)) CODEC(NONE)
)
ENGINE = {aggregating}
ORDER BY (minute, device_type, arrival)
TTL minute + INTERVAL 6 HOUR
-- A row holds the events of a minute: whoever needs one reads no other.
SETTINGS index_granularity = 1, merge_with_ttl_timeout = 1800;

CREATE TABLE IF NOT EXISTS live.purchases {on_cluster}
(
    minute       DateTime('UTC'),
    user_id      String,
    event_time   DateTime64(6, 'UTC'),
    event_id     UUID,
    device_type  LowCardinality(String),
    session_hash UInt32,
    item_id      String,
    units        Int64,
    revenue      Decimal(38, 6)
)
ENGINE = {replacing}
ORDER BY (minute, user_id, event_time, event_id)
TTL minute + INTERVAL 6 HOUR
SETTINGS index_granularity = 1024, merge_with_ttl_timeout = 1800;

CREATE TABLE IF NOT EXISTS live.page_sets {on_cluster}
(
    minute       DateTime('UTC'),
    device_type  LowCardinality(String),
    page         String,
    event_hashes SimpleAggregateFunction(groupUniqArrayArray, Array(UInt32)) CODEC(NONE)
)
ENGINE = {aggregating}
ORDER BY (minute, device_type, page)
TTL minute + INTERVAL 6 HOUR
SETTINGS index_granularity = 1024, merge_with_ttl_timeout = 1800;

CREATE TABLE IF NOT EXISTS live.item_sets {on_cluster}
(
    minute       DateTime('UTC'),
    device_type  LowCardinality(String),
    item_id      String,
    event_hashes SimpleAggregateFunction(groupUniqArrayArray, Array(UInt32)) CODEC(NONE)
)
ENGINE = {aggregating}
ORDER BY (minute, device_type, item_id)
TTL minute + INTERVAL 6 HOUR
SETTINGS index_granularity = 1024, merge_with_ttl_timeout = 1800;

-- The views run with the rights of whoever migrates: the ingest role may not touch `live`. They use no clock but
-- `ingested_at`. Their columns stand in the order of their tables, because mending inserts by position.
CREATE MATERIALIZED VIEW IF NOT EXISTS live.fill_minute_sets {on_cluster} TO live.minute_sets
DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT
    toStartOfMinute(toDateTime(if(arrival = 'counted', event_time, ingested_at), 'UTC')) AS minute,
    device_type,
    multiIf(
        event_time > ingested_at + INTERVAL 1 MINUTE, 'too early',
        event_time < ingested_at - INTERVAL 6 HOUR, 'too late',
        'counted'
    ) AS arrival,
    groupUniqArray(toUInt32(sipHash64(event_id))) AS event_hashes,
    groupUniqArray(toUInt32(sipHash64(user_id))) AS user_hashes,
    -- A user's events without a session id are one session here.
    groupUniqArray(toUInt32(sipHash64(session_id, if(session_id = '', user_id, '')))) AS session_hashes
FROM raw.events
GROUP BY minute, device_type, arrival;

CREATE MATERIALIZED VIEW IF NOT EXISTS live.fill_purchases {on_cluster} TO live.purchases
DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT
    toStartOfMinute(toDateTime(event_time, 'UTC')) AS minute,
    user_id,
    event_time,
    event_id,
    device_type,
    toUInt32(sipHash64(session_id, if(session_id = '', user_id, ''))) AS session_hash,
    item_id,
    toInt64(ifNull(quantity, 1)) AS units,
    toDecimal128(ifNull(price, 0), 6) * ifNull(quantity, 1) AS revenue
FROM raw.events
WHERE event_type = 'purchase'
    AND event_time <= ingested_at + INTERVAL 1 MINUTE AND event_time >= ingested_at - INTERVAL 6 HOUR;

-- The page as staging has it: without host, query and fragment.
CREATE MATERIALIZED VIEW IF NOT EXISTS live.fill_page_sets {on_cluster} TO live.page_sets
DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT
    toStartOfMinute(toDateTime(event_time, 'UTC')) AS minute,
    device_type,
    multiIf(
        position(page_url, '//') = 0, cutQueryStringAndFragment(page_url),
        path(page_url) = '', '/',
        path(page_url)
    ) AS page,
    groupUniqArray(toUInt32(sipHash64(event_id))) AS event_hashes
FROM raw.events
WHERE event_type = 'page_view' AND page_url != ''
    AND event_time <= ingested_at + INTERVAL 1 MINUTE AND event_time >= ingested_at - INTERVAL 6 HOUR
GROUP BY minute, device_type, page;

CREATE MATERIALIZED VIEW IF NOT EXISTS live.fill_item_sets {on_cluster} TO live.item_sets
DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT
    toStartOfMinute(toDateTime(event_time, 'UTC')) AS minute,
    device_type,
    item_id,
    groupUniqArray(toUInt32(sipHash64(event_id))) AS event_hashes
FROM raw.events
WHERE item_id != ''
    AND event_time <= ingested_at + INTERVAL 1 MINUTE AND event_time >= ingested_at - INTERVAL 6 HOUR
GROUP BY minute, device_type, item_id;
