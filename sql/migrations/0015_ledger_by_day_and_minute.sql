-- Two ledgers instead of one that is both wide and long. By day, with all that the audit adds up: a few rows for each
-- day of the history. By minute only the highest offset, which tells where to begin to read; where little lands in a
-- minute, its other columns took a byte an event. With the codecs below an event takes less than 40 bytes instead of
-- 41; inserts take as long as before. What has no codec of its own, as a projection's columns, is packed by ZSTD too.
ALTER TABLE raw.events {on_cluster} ADD PROJECTION IF NOT EXISTS by_day
(
    SELECT toDate(ingested_at), kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(),
        sum(kafka_offset), sum(kafka_offset * kafka_offset)
    GROUP BY toDate(ingested_at), kafka_topic, kafka_partition
);

ALTER TABLE raw.events {on_cluster} ADD PROJECTION IF NOT EXISTS by_minute
(
    SELECT toStartOfMinute(ingested_at), kafka_topic, kafka_partition, max(kafka_offset)
    GROUP BY toStartOfMinute(ingested_at), kafka_topic, kafka_partition
);

ALTER TABLE raw.events {on_cluster} MODIFY SETTING default_compression_codec = 'ZSTD(1)';

ALTER TABLE raw.events {on_cluster}
    MODIFY COLUMN kafka_partition CODEC(T64, ZSTD(1)),
    MODIFY COLUMN kafka_offset CODEC(Delta, ZSTD(3)),
    MODIFY COLUMN kafka_timestamp CODEC(Delta, ZSTD(3)),
    MODIFY COLUMN ingested_at CODEC(Delta, ZSTD(3)),
    MODIFY COLUMN event_time CODEC(GCD, Delta(8), ZSTD(3)),
    MODIFY COLUMN user_id CODEC(ZSTD(3)),
    MODIFY COLUMN country CODEC(ZSTD(3));

ALTER TABLE raw.events {on_cluster} MATERIALIZE PROJECTION by_day SETTINGS mutations_sync = 0;

ALTER TABLE raw.events {on_cluster} MATERIALIZE PROJECTION by_minute SETTINGS mutations_sync = 0;

ALTER TABLE raw.events {on_cluster} DROP PROJECTION IF EXISTS days SETTINGS alter_sync = 0;

ALTER TABLE raw.events {on_cluster} DROP PROJECTION IF EXISTS landings SETTINGS alter_sync = 0;
