-- How far each incremental dbt model has come, per Kafka partition. A partition's rows land in offset order,
-- so its highest folded offset is a cursor that nothing can slip under, which no time stamp is: inserts that
-- run side by side become visible out of the order of their stamps. `since` prunes raw's parts, no more.
CREATE TABLE IF NOT EXISTS ops.model_watermarks {on_cluster}
(
    model           LowCardinality(String),
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    kafka_offset    UInt64,
    since           DateTime64(3, 'UTC'),
    updated_at      DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {replacing_by_kafka_offset}
ORDER BY (model, kafka_topic, kafka_partition);

-- What one run of one model reads: offsets above `low` up to `high`. Written when the run begins, turned into
-- the watermark when it has succeeded; a run that dies leaves its window behind and the watermark alone.
CREATE TABLE IF NOT EXISTS ops.model_windows {on_cluster}
(
    invocation_id   String,
    model           LowCardinality(String),
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    low             Int64,
    high            Int64,
    since           DateTime64(3, 'UTC'),
    opened_at       DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {merge_tree}
ORDER BY (model, invocation_id)
TTL toDateTime(opened_at) + INTERVAL 1 DAY;
