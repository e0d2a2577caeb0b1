-- Every event a client sent, once. Partitioned by landing day, so that a closed day never changes;
-- sorted for analytics; the projection keeps the offset ledger inside the part that holds the rows.
-- The deduplication window lets an insert whose answer was lost be repeated with the same token.
CREATE TABLE IF NOT EXISTS raw.events {on_cluster}
(
    event_id             UUID,
    event_type           LowCardinality(String),
    event_time           DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_utc_offset     Int16 CODEC(ZSTD(1)),
    user_id              String CODEC(ZSTD(1)),
    session_id           String CODEC(ZSTD(1)),
    item_id              String CODEC(ZSTD(1)),
    item_category        LowCardinality(String),
    currency             LowCardinality(String),
    page_url             String CODEC(ZSTD(1)),
    referrer             String CODEC(ZSTD(1)),
    user_agent           LowCardinality(String),
    ip_address           String CODEC(ZSTD(1)),
    country              LowCardinality(String),
    device_type          LowCardinality(String),
    device_name          LowCardinality(String),
    viewport_size        LowCardinality(String),
    search_query         String CODEC(ZSTD(1)),
    element_id           String CODEC(ZSTD(1)),
    experiment_name      LowCardinality(String),
    experiment_variation LowCardinality(String),
    price                Nullable(Decimal(18, 6)) CODEC(ZSTD(1)),
    quantity             Nullable(Int32) CODEC(ZSTD(1)),
    properties           String CODEC(ZSTD(1)),
    kafka_topic          LowCardinality(String),
    kafka_partition      UInt32 CODEC(ZSTD(1)),
    kafka_offset         UInt64 CODEC(Delta, ZSTD(1)),
    kafka_timestamp      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    ingested_at          DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    PROJECTION offsets
    (
        SELECT kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count()
        GROUP BY kafka_topic, kafka_partition
    ),
    INDEX ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1
)
ENGINE = {merge_tree}
PARTITION BY toYYYYMMDD(ingested_at)
ORDER BY (event_type, user_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000;
