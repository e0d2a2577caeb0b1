-- Active users and events by UTC day, for everybody.
-- keep: 10 s
SELECT event_date, active_users, events, purchases, revenue, late_events
FROM marts.fct_day
WHERE event_date >= toDate({since:DateTime('UTC')}) AND event_date <= toDate({until:DateTime('UTC')})
ORDER BY event_date
LIMIT 1000
