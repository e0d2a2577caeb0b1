-- Incidents about items that began in the stretch.
-- keep: 10 s
SELECT arrayJoin(items) AS item, first_seen, title
FROM ops.incidents FINAL
WHERE last_seen >= {since:DateTime('UTC')}
LIMIT 1000
