-- The ledger also tells in which minutes rows landed, so that a model finds exactly when the rows above its
-- watermark landed, however long ago a worker stamped them, and reads nothing older.
ALTER TABLE raw.events {on_cluster} ADD PROJECTION IF NOT EXISTS landings
(
    SELECT toStartOfMinute(ingested_at), kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(),
        sum(kafka_offset), sum(kafka_offset * kafka_offset)
    GROUP BY toStartOfMinute(ingested_at), kafka_topic, kafka_partition
);

ALTER TABLE raw.events {on_cluster} MATERIALIZE PROJECTION landings SETTINGS mutations_sync = 0;

ALTER TABLE raw.events {on_cluster} DROP PROJECTION IF EXISTS ledger SETTINGS alter_sync = 0;
