-- What is wrong now, and what was in the last 7 days; an acknowledgement shows before the sensor has folded it in.
SELECT
    incidents.fingerprint AS fingerprint,
    incidents.title AS title,
    -- A failed run says all that its models said, and its first line what they came to.
    substringUTF8(splitByChar('\n', incidents.summary)[1], 1, 300) AS summary,
    incidents.severity AS severity,
    incidents.owner AS owner,
    multiIf(incidents.state = 'open' AND notEmpty(acks.who), 'acknowledged', incidents.state) AS shown_state,
    if(incidents.acknowledged_by != '', incidents.acknowledged_by, acks.who) AS acknowledged_by,
    incidents.first_seen AS first_seen,
    incidents.last_seen AS last_seen,
    incidents.resolved_at AS resolved_at,
    incidents.count AS times,
    incidents.items AS items
FROM ops.incidents AS incidents FINAL
LEFT JOIN (
    SELECT fingerprint, argMax(by, at) AS who FROM ops.incident_actions WHERE action = 'ack' GROUP BY fingerprint
) AS acks ON incidents.fingerprint = acks.fingerprint
WHERE incidents.state != 'resolved' OR incidents.last_seen > now() - INTERVAL 7 DAY
ORDER BY incidents.state = 'resolved', incidents.last_seen DESC
LIMIT {limit:UInt32}
