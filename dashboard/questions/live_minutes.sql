-- Each minute of the stretch: events, users, purchases, revenue and the share of sessions that bought.
SELECT
    minute,
    sum(events) AS all_events,
    sum(active_users) AS users,
    sum(purchases) AS all_purchases,
    sum(revenue) AS all_revenue,
    sum(buying_sessions) AS buyers,
    if(sum(sessions) = 0, NULL, sum(buying_sessions) / sum(sessions)) AS conversion
FROM live.live_minute
WHERE minute > toStartOfMinute(now('UTC')) - toIntervalMinute({minutes:UInt32})
    AND ({any_device:UInt8} OR device_type = {device:String})
GROUP BY minute
ORDER BY minute WITH FILL
    FROM toStartOfMinute(now('UTC')) - toIntervalMinute({minutes:UInt32} - 1)
    TO toStartOfMinute(now('UTC')) + INTERVAL 1 MINUTE
    STEP INTERVAL 1 MINUTE
