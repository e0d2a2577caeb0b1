-- What could not be an event in the last 24 hours, by reason.
SELECT
    error_class AS reason,
    count() AS letters,
    countIf(ingested_at > now() - INTERVAL 1 HOUR) AS last_hour,
    max(ingested_at) AS newest
FROM raw.dead_letters
WHERE ingested_at > now() - INTERVAL 24 HOUR
GROUP BY reason
ORDER BY letters DESC, reason
