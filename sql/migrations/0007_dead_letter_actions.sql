-- What people did about dead letters, each step as a row of its own. The letter itself stays where it is, because
-- each offset stays in exactly one raw table. `begun` is written before a replay sends, with the partition's end at
-- that moment: a replay that broke off is looked for in the topic from there. `replayed` names the new place;
-- `released` says that nothing of the batch was sent for this letter.
CREATE TABLE IF NOT EXISTS ops.dead_letter_actions {on_cluster}
(
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    kafka_offset    UInt64,
    action          Enum8('begun' = 1, 'replayed' = 2, 'released' = 3, 'dropped' = 4),
    batch_id        String,
    end_offset      UInt64 DEFAULT 0,
    new_partition   UInt32 DEFAULT 0,
    new_offset      UInt64 DEFAULT 0,
    at              DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {merge_tree}
ORDER BY (kafka_topic, kafka_partition, kafka_offset, at);
