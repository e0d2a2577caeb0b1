-- The ledger by day as well: a model finds the day from which on it has something to read in a few rows a day, and
-- only then looks at that day's minutes in `landings`. Of a long history those alone are millions of rows.
ALTER TABLE raw.events {on_cluster} ADD PROJECTION IF NOT EXISTS days
(
    SELECT toDate(ingested_at), kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count()
    GROUP BY toDate(ingested_at), kafka_topic, kafka_partition
);

ALTER TABLE raw.events {on_cluster} MATERIALIZE PROJECTION days SETTINGS mutations_sync = 0;
