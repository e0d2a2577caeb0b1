-- Who is here now: users and sessions with an event in the last 5 and 30 minutes.
SELECT
    sumIf(active_users, window_minutes = 5) AS users_5,
    sumIf(active_users, window_minutes = 30) AS users_30,
    sumIf(active_sessions, window_minutes = 30) AS sessions_30
FROM live.live_active_users
WHERE device_type = if({any_device:UInt8}, 'all', {device:String})
