-- Up to when raw, the live tables and each kind of mart are complete (UTC). A mart that has folded in all there is, is as
-- fresh as raw is; one that lags behind is complete up to its last run.
-- keep: 4 s
WITH landed AS (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest
    FROM raw.events
    GROUP BY kafka_topic, kafka_partition
),
folded AS (
    SELECT model, kafka_topic, kafka_partition, max(kafka_offset) AS done, max(updated_at) AS updated_at
    FROM ops.model_watermarks
    WHERE model IN ('int_user', 'int_item_hourly', 'int_sessions', 'int_funnel_user', 'int_experiment_outcomes')
    GROUP BY model, kafka_topic, kafka_partition
),
models AS (
    SELECT
        folded.model AS name,
        countIf(folded.done < landed.newest) AS behind,
        max(folded.updated_at) AS last_run,
        (SELECT max(ingested_at) FROM raw.events) AS landed_at,
        if(behind = 0, greatest(last_run, landed_at), last_run) AS as_of
    FROM landed
    INNER JOIN folded ON landed.kafka_topic = folded.kafka_topic AND landed.kafka_partition = folded.kafka_partition
    GROUP BY name
)
SELECT
    (SELECT nullIf(max(ingested_at), toDateTime64(0, 3, 'UTC')) FROM raw.events) AS raw,
    raw AS live,
    minOrNullIf(as_of, name IN ('int_user', 'int_item_hourly')) AS marts,
    minOrNullIf(as_of, name = 'int_sessions') AS sessions,
    minOrNullIf(as_of, name = 'int_funnel_user') AS funnels,
    minOrNullIf(as_of, name = 'int_experiment_outcomes') AS experiments
FROM models
