-- The ledger of offsets also keeps two sums, so that the audit sees one offset lost and another doubled, which
-- counts alone do not show: a whole range of offsets has sums that can be reckoned. Both wrap around at 2^64.
ALTER TABLE raw.events {on_cluster} ADD PROJECTION IF NOT EXISTS ledger
(
    SELECT kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(),
        sum(kafka_offset), sum(kafka_offset * kafka_offset)
    GROUP BY kafka_topic, kafka_partition
);

-- Rows that are there already get it in the background, which on a large table takes longer than a client waits;
-- until then their parts are read row by row.
ALTER TABLE raw.events {on_cluster} MATERIALIZE PROJECTION ledger SETTINGS mutations_sync = 0;

ALTER TABLE raw.events {on_cluster} DROP PROJECTION IF EXISTS offsets SETTINGS alter_sync = 0;
