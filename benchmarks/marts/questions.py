"""The questions a dashboard asks, and how long each takes."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from clickhouse_connect.driver.client import Client

QUESTIONS: Final = {
    "users: most revenue": "SELECT user_id, revenue, sessions FROM marts.fct_user ORDER BY revenue DESC LIMIT 50",
    "users: one of them": "SELECT * FROM marts.fct_user WHERE user_id = 'user-000013'",
    "users: by country": "SELECT last_country, count(), sum(revenue) FROM marts.fct_user GROUP BY 1 ORDER BY 2 DESC",
    "items: most revenue": "SELECT item_id, revenue, view_to_cart FROM marts.fct_item ORDER BY revenue DESC LIMIT 50",
    "items: hours of one, a week": (
        "SELECT event_hour, purchases, views FROM marts.fct_item_hourly "
        "WHERE item_id = 'SKU-00806' AND event_hour >= today() - 7 ORDER BY event_hour"
    ),
    "items: sales by hour, two days": (
        "SELECT event_hour, sum(purchases), sum(revenue) FROM marts.fct_item_hourly "
        "WHERE event_hour >= today() - 2 GROUP BY event_hour ORDER BY event_hour"
    ),
    "sessions: by device, a week": (
        "SELECT device_type, count(), avg(is_bounced), avg(is_converted), median(duration_seconds) "
        "FROM marts.fct_session WHERE session_date >= today() - 7 AND NOT is_bot GROUP BY device_type"
    ),
    "sessions: of one user": (
        "SELECT * FROM marts.fct_session WHERE user_id = 'user-000013' ORDER BY started_at DESC LIMIT 50"
    ),
    "sessions: entry pages, a week": (
        "SELECT entry_page, count(), avg(is_bounced) FROM marts.fct_session "
        "WHERE session_date >= today() - 7 GROUP BY entry_page ORDER BY 2 DESC LIMIT 20"
    ),
    "journeys: moves, a day": (
        "SELECT from_step, to_step, sum(moves) FROM marts.fct_journey "
        "WHERE kind = 'page' AND session_date >= today() - 1 GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 50"
    ),
    "journeys: top paths, a day": (
        "SELECT path, sum(sessions), sum(converted_sessions) FROM marts.fct_journey_path "
        "WHERE session_date >= today() - 1 GROUP BY path ORDER BY 2 DESC LIMIT 20"
    ),
    "funnels: one, a week": (
        "SELECT step, step_name, sum(users), avg(median_seconds_from_previous) FROM marts.fct_funnel "
        "WHERE funnel = 'product_to_purchase' AND entry_date >= today() - 7 GROUP BY 1, 2 ORDER BY 1"
    ),
    "funnels: by device and day, a week": (
        "SELECT entry_date, device_type, step, sum(users) FROM marts.fct_funnel "
        "WHERE funnel = 'search_to_purchase' AND entry_date >= today() - 7 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ),
    "funnels: who stopped at a step": (
        "SELECT user_id, entered_at, step_times FROM marts.fct_funnel_user "
        "WHERE funnel = 'product_to_purchase' AND entry_date = today() - 1 AND furthest_step = 2 "
        "ORDER BY entered_at DESC LIMIT 50"
    ),
    "days: a month": "SELECT * FROM marts.fct_day WHERE event_date >= today() - 30 ORDER BY event_date",
    "experiments: all": "SELECT * FROM marts.fct_experiment ORDER BY 1, 2",
    "experiments: by day": "SELECT * FROM marts.fct_experiment_daily ORDER BY 1, 2, 3",
    "experiments: who was let in": (
        "SELECT experiment_name, experiment_variation, device_type, sum(exposed_users) "
        "FROM marts.fct_experiment_exposure GROUP BY 1, 2, 3"
    ),
    "experiments: verdicts": (
        "SELECT experiment_name, experiment_variation, metric, lift, anytime_p, verdict, reason "
        "FROM marts.experiment_results ORDER BY 1, 2, 3"
    ),
}


def ask(client: Client, rounds: int = 20) -> dict[str, float]:
    """Return each question's 95th percentile in milliseconds over so many rounds, all questions in turn."""
    taken: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    for _ in range(rounds):
        for name, sql in QUESTIONS.items():
            began = time.perf_counter()
            client.query(sql)
            taken[name].append((time.perf_counter() - began) * 1000)
    return {name: round(float(np.percentile(times, 95)), 1) for name, times in taken.items()}
