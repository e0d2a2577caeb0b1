-- Events a second over the running minute and the one before, and what the last 30 minutes sold.
SELECT
    sumIf(events, minute >= toStartOfMinute(now('UTC')) - INTERVAL 1 MINUTE) / (60 + toSecond(now('UTC'))) AS rate,
    sum(events) AS all_events,
    sum(purchases) AS all_purchases,
    sum(revenue) AS all_revenue,
    sum(buying_sessions) AS buyers
FROM live.live_minute
WHERE minute > toStartOfMinute(now('UTC')) - INTERVAL 30 MINUTE
    AND ({any_device:UInt8} OR device_type = {device:String})
