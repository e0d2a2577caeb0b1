-- Days of raw that are in the archive, each step of a piece as a row of its own; the highest revision holds. `moving`
-- is written before rows leave or come back: they are then in the raw table or in the archive alone, and whoever asks
-- must look. Offsets are kept by Kafka partition, as the audit adds them up (sums wrap around at 2^64).
CREATE TABLE IF NOT EXISTS ops.archived_days {on_cluster}
(
    table_name LowCardinality(String),
    day        Date,
    piece      String,
    state      Enum8('verified' = 1, 'moving' = 2, 'dropped' = 3, 'superseded' = 4),
    rows       UInt64,
    bytes      UInt64,
    files      Array(String),
    offsets    Array(Tuple(topic String, partition UInt32, first UInt64, last UInt64, rows UInt64, total UInt64, squares UInt64)),
    revision   UInt64,
    at         DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = {merge_tree}
ORDER BY (table_name, day, piece, revision);

-- What is archived now, by Kafka partition. Workers read it so that they go on behind rows that were dropped; with the
-- rights of whoever migrates, because the ingest role reads nothing in `ops`.
CREATE VIEW IF NOT EXISTS raw.archived_offsets {on_cluster}
DEFINER = CURRENT_USER SQL SECURITY DEFINER AS
SELECT
    table_name, day, piece, toString(newest_state) AS state, piece_rows,
    one.1 AS kafka_topic, one.2 AS kafka_partition, one.3 AS first_offset, one.4 AS last_offset,
    one.5 AS offset_rows, one.6 AS offset_total, one.7 AS offset_squares
FROM
(
    SELECT
        table_name, day, piece,
        argMax(state, revision) AS newest_state,
        argMax(rows, revision) AS piece_rows,
        argMax(offsets, revision) AS newest_offsets
    FROM ops.archived_days
    GROUP BY table_name, day, piece
)
ARRAY JOIN newest_offsets AS one
WHERE newest_state != 'superseded';
