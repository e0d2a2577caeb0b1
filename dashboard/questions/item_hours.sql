-- One item's sales by hour with what was to be expected: the item's share of all sales in the week before, applied to
-- what all other items sold in the hour. (The check item_sales_within_expected reckons finer.) Without an item it is the
-- one that earned most. The band holds 95 % of what a Poisson count with that mean gives (Wilson and Hilferty's
-- approximation of its limits).
-- keep: 10 s
WITH (
    SELECT item_id
    FROM marts.fct_item_hourly
    WHERE event_hour >= toStartOfHour({since:DateTime('UTC')}) AND event_hour < {until:DateTime('UTC')}
        AND ({any_category:UInt8} OR item_category = {category:String})
        AND ({any_item:UInt8} OR item_id = {item:String})
    GROUP BY item_id
    ORDER BY sum(revenue) DESC, item_id
    LIMIT 1
) AS found,
ifNull(found, '') AS chosen,
hours AS (
    SELECT
        event_hour,
        sum(purchases) AS all_sales,
        sumIf(purchases, item_id = chosen) AS item_sales,
        sumIf(revenue, item_id = chosen) AS item_revenue
    FROM marts.fct_item_hourly
    WHERE event_hour >= toStartOfHour({since:DateTime('UTC')}) - INTERVAL 7 DAY AND event_hour < {until:DateTime('UTC')}
    GROUP BY event_hour
    ORDER BY event_hour WITH FILL STEP 3600
),
judged AS (
    SELECT
        event_hour,
        item_sales,
        item_revenue,
        sum(item_sales) OVER week_before + 0.5 AS item_history,
        sum(all_sales) OVER week_before AS history,
        item_history / (history + 0.5 * (SELECT greatest(2, uniq(item_id)) FROM marts.fct_item)) AS share,
        if(history = 0, NULL, least(share / (1 - share), 1e6) * (all_sales - item_sales)) AS mean
    FROM hours
    WINDOW week_before AS (ORDER BY toUnixTimestamp(event_hour) RANGE BETWEEN 604800 PRECEDING AND 3600 PRECEDING)
)
SELECT
    chosen AS item,
    toStartOfInterval(event_hour, toIntervalSecond({point:UInt32})) AS moment,
    sum(item_sales) AS sales,
    sum(item_revenue) AS revenue,
    sum(mean) AS expected,
    if(expected < 0.01, 0, greatest(0, expected * pow(1 - 1 / (9 * expected) - 1.96 / (3 * sqrt(expected)), 3))) AS low,
    (expected + 1) * pow(1 - 1 / (9 * (expected + 1)) + 1.96 / (3 * sqrt(expected + 1)), 3) AS high
FROM judged
WHERE event_hour >= toStartOfHour({since:DateTime('UTC')}) AND notEmpty(item)
GROUP BY moment
ORDER BY moment
LIMIT 10000
