-- Whose rows a run of the models recomputes: the users, items and times of what landed for it, looked up in raw once and
-- not by each model. A partition a run, which drops it when it ends; what a run that died left behind goes after a day.
CREATE TABLE IF NOT EXISTS ops.landed_keys {on_cluster}
(
    invocation_id   String,
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    kafka_offset    UInt64,
    ingested_at     DateTime64(3, 'UTC'),
    event_time      DateTime64(6, 'UTC'),
    user_id         String,
    item_id         String,
    looked_up_at    DateTime('UTC') DEFAULT now()
)
ENGINE = {merge_tree}
PARTITION BY invocation_id
ORDER BY tuple()
TTL looked_up_at + INTERVAL 1 DAY
SETTINGS ttl_only_drop_parts = 1;
