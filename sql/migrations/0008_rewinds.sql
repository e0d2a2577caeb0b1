-- Stretches that `millrace rewind` reads again: one row before its first write, one after its last. Rows that land
-- there lie below the marts' watermarks, so a model reads them again until a window that was opened after the end.
CREATE TABLE IF NOT EXISTS raw.rewinds {on_cluster}
(
    run             String,
    kafka_topic     LowCardinality(String),
    kafka_partition UInt32,
    first_offset    UInt64,
    is_done         Bool,
    at              DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {merge_tree}
ORDER BY (kafka_topic, kafka_partition, run);

-- Up to when a window's run has seen what landed: a model that reads int_events has seen what int_events had.
ALTER TABLE ops.model_windows {on_cluster}
    ADD COLUMN IF NOT EXISTS seen_until DateTime64(3, 'UTC') DEFAULT opened_at;
