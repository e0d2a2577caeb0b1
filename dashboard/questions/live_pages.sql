-- The pages with the most views in the stretch.
SELECT page, sum(views) AS all_views
FROM live.live_top_pages
WHERE minute > toStartOfMinute(now('UTC')) - toIntervalMinute({minutes:UInt32})
    AND ({any_device:UInt8} OR device_type = {device:String})
GROUP BY page
ORDER BY all_views DESC, page
LIMIT {limit:UInt32}
