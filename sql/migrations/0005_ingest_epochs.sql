-- Who may write a Kafka partition: the highest claim, an epoch and its owner. A worker takes a higher one when
-- it is given a partition, and each of its inserts checks in the server that it still stands; so one that was
-- paused and wakes up is refused. The maximum survives merges whatever order the rows come in.
CREATE TABLE IF NOT EXISTS raw.ingest_epochs {on_cluster}
(
    scope           LowCardinality(String),
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    claim           SimpleAggregateFunction(max, Tuple(epoch UInt64, owner String)),
    taken_at        SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3, 'UTC')
)
ENGINE = {aggregating}
ORDER BY (scope, kafka_topic, kafka_partition);
