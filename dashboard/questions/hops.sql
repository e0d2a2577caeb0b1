-- Each hop behind Kafka: events a second in the last minute, what it has not folded in yet, and up to when it is complete.
-- keep: 4 s
WITH landed AS (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest
    FROM raw.events
    GROUP BY kafka_topic, kafka_partition
),
folded AS (
    SELECT model, kafka_topic, kafka_partition, max(kafka_offset) AS done, max(updated_at) AS updated_at
    FROM ops.model_watermarks
    GROUP BY model, kafka_topic, kafka_partition
)
SELECT hop, rate, behind, as_of
FROM (
    SELECT
        0 AS place,
        'raw.events' AS hop,
        countIf(ingested_at > now() - INTERVAL 1 MINUTE) / 60 AS rate,
        0 AS behind,
        (SELECT nullIf(max(ingested_at), toDateTime64(0, 3, 'UTC')) FROM raw.events) AS as_of
    FROM raw.events
    WHERE ingested_at > now() - INTERVAL 2 MINUTE
    UNION ALL
    SELECT
        1, 'raw.dead_letters', countIf(ingested_at > now() - INTERVAL 1 MINUTE) / 60, 0,
        (SELECT nullIf(max(ingested_at), toDateTime64(0, 3, 'UTC')) FROM raw.dead_letters)
    FROM raw.dead_letters
    WHERE ingested_at > now() - INTERVAL 2 MINUTE
    UNION ALL
    SELECT
        2,
        folded.model,
        NULL,
        toUInt64(sum(greatest(0, toInt64(landed.newest) - toInt64(folded.done)))),
        max(folded.updated_at)
    FROM landed
    INNER JOIN folded ON landed.kafka_topic = folded.kafka_topic AND landed.kafka_partition = folded.kafka_partition
    GROUP BY folded.model
)
ORDER BY place, hop
