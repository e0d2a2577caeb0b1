-- What events look like, by hour of the event: what a check of drift compares the newest hour with. A row a field of an
-- event type: `field` is a column of raw.events, `properties.<key>` for a key of its properties (with the JSON type of
-- its values), '@bot' for a bot's user agent, and '' for the events themselves. Where an hour has millions of events a
-- part of them is looked at and `filled` is reckoned up. A row without an event type marks how far this has come.
CREATE TABLE IF NOT EXISTS ops.event_profiles {on_cluster}
(
    hour            DateTime('UTC'),
    event_type      LowCardinality(String),
    field           LowCardinality(String),
    value_type      LowCardinality(String),
    filled          UInt64,
    distinct_values UInt64,
    profiled_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {replacing}
ORDER BY (hour, event_type, field, value_type)
TTL hour + INTERVAL 60 DAY;
