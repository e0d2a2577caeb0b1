-- Up to when raw, the live tables and the marts are complete (UTC). A mart that has folded in all there is, is as
-- fresh as raw is; one that lags behind is complete up to its last run.
WITH landed AS (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest
    FROM raw.events
    GROUP BY kafka_topic, kafka_partition
),
folded AS (
    SELECT model, kafka_topic, kafka_partition, max(kafka_offset) AS done, max(updated_at) AS updated_at
    FROM ops.model_watermarks
    WHERE model IN ('int_user', 'int_item', 'int_item_hourly', 'int_sessions')
    GROUP BY model, kafka_topic, kafka_partition
),
behind AS (
    SELECT countIf(folded.done < landed.newest) AS partitions, max(folded.updated_at) AS last_run
    FROM landed
    INNER JOIN folded ON landed.kafka_topic = folded.kafka_topic AND landed.kafka_partition = folded.kafka_partition
)
SELECT
    (SELECT max(ingested_at) FROM raw.events) AS newest,
    if(newest = 0, NULL, newest) AS raw,
    raw AS live,
    (SELECT if(partitions = 0, greatest(last_run, newest), last_run) FROM behind) AS moment,
    if(moment = 0, NULL, moment) AS marts
