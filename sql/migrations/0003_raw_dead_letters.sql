-- What could not be an event: the original bytes and the reason, so that it can be mended and replayed.
CREATE TABLE IF NOT EXISTS raw.dead_letters {on_cluster}
(
    payload         Nullable(String) CODEC(ZSTD(1)),
    key             Nullable(String) CODEC(ZSTD(1)),
    headers         Array(Tuple(name String, value Nullable(String))) CODEC(ZSTD(1)),
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    kafka_offset    UInt64 CODEC(Delta, ZSTD(1)),
    kafka_timestamp DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    error_class     LowCardinality(String),
    error_text      String CODEC(ZSTD(1)),
    ingested_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {merge_tree}
PARTITION BY toYYYYMMDD(ingested_at)
ORDER BY (kafka_topic, kafka_partition, kafka_offset)
SETTINGS non_replicated_deduplication_window = 10000;
