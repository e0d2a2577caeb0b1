-- Types of events of the last hours, the most frequent first.
-- keep: 60 s
SELECT event_type AS value
FROM raw.events
WHERE ingested_at > now() - INTERVAL 6 HOUR
GROUP BY value
ORDER BY count() DESC, value
LIMIT 50
