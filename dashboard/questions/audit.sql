-- Whether each Kafka offset between the first and the last of a partition is in exactly one raw table, once: numbers and
-- sums of offsets against those of the whole range. A transaction or compaction leaves gaps that are no loss: ask
-- `millrace audit`.
-- keep: 10 s
WITH ledger AS (
    SELECT
        kafka_topic, kafka_partition, min(kafka_offset) AS low, max(kafka_offset) AS high, count() AS found,
        sum(kafka_offset) AS total
    FROM raw.events
    GROUP BY kafka_topic, kafka_partition
    UNION ALL
    SELECT
        kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(), sum(kafka_offset)
    FROM raw.dead_letters
    GROUP BY kafka_topic, kafka_partition
),
partitions AS (
    SELECT
        kafka_topic AS topic,
        kafka_partition,
        min(low) AS first,
        max(high) AS last,
        sum(found) AS rows,
        sum(total) AS offsets,
        toInt64(last - first + 1) - toInt64(rows) AS difference,
        offsets = toUInt64(intDiv((toUInt256(first) + last) * (last - first + 1), 2)) AS has_right_sum
    FROM ledger
    GROUP BY topic, kafka_partition
)
SELECT
    topic,
    count() AS parts,
    sum(partitions.rows) AS all_rows,
    sumIf(difference, difference > 0) AS missing,
    sumIf(-difference, difference < 0) AS doubled,
    countIf(difference = 0 AND NOT has_right_sum) AS mixed
FROM partitions
GROUP BY topic
ORDER BY topic
