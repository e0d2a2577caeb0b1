"""Small shops for the funnels' tests: events whose fields say which steps they match, and what must come out."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl
from clickhouse_connect.driver.client import Client

from tests.funnel_reference import Rules, best_attempt

MIDNIGHT: Final = datetime(2026, 3, 2, tzinfo=UTC)
DAY: Final = 1_440
Funnel = dict[str, Any]
#: (funnel, user, days since MIDNIGHT's day) -> minutes since MIDNIGHT at which each step was reached.
Reached = dict[tuple[str, str, int], tuple[int, ...]]
_KINDS: Final = ("page_view", "add_to_cart", "purchase")
VIEW, CART, BUY = ({"name": kind, "event_type": kind} for kind in _KINDS)
_SHOES: Final = {"name": "shoes", "item_category": "shoes"}
# Funnels over the events of tests/events.py.
SHOPPING: Final[Funnel] = {
    "name": "shopping",
    "window_minutes": 2 * DAY,
    "steps": [VIEW, CART, BUY],
    "breakdown": "country",
}
SHORT: Final[Funnel] = {"name": "short", "window_minutes": 60, "steps": [_SHOES, _SHOES | {"name": "more"}, BUY]}
LOOSE: Final[Funnel] = {"name": "loose", "window_minutes": 600, "ordered": False, "steps": [VIEW, _SHOES, BUY]}
# Steps that overlap: an event has one type, one page and one category, and so matches up to three of them.
_CONDITIONS: Final = (
    {"event_type": "view"},
    {"event_type": "cart"},
    {"page": "/a/*"},
    {"page": "/a/1"},
    {"item_category": "hats"},
    {"event_type": "view", "item_category": "hats"},
    {"element_id": "buy"},
)


def random_funnel(dice: random.Random, name: str, steps: int, *, ordered: bool) -> Funnel:
    """Return a funnel whose steps overlap and repeat, with a window of minutes or of more than a day."""
    chosen = [dice.choice(_CONDITIONS) for _ in range(steps)]
    return {
        "name": name,
        "window_minutes": dice.choice([1, 2, 3, DAY]),
        "ordered": ordered,
        "steps": [{"name": f"s{number}", **condition} for number, condition in enumerate(chosen)],
    }


def random_events(dice: random.Random, users: int) -> pl.DataFrame:
    """Return up to seven events a user, at few different minutes around a midnight."""
    rows = [
        {
            "event_id": str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            "event_type": dice.choice(["view", "cart", "other"]),
            "event_time": MIDNIGHT + timedelta(minutes=dice.randint(-2, 3)),
            "user_id": f"user-{user}",
            "page_url": dice.choice(["https://shop.example/a/1?x=1", "/a/2", ""]),
            "item_category": dice.choice(["hats", "shoes"]),
            "element_id": dice.choice(["buy", ""]),
            "device_type": dice.choice(["mobile", "desktop"]),
            "country": dice.choice(["DE", "US"]),
            "price": "",
        }
        for user in range(users)
        for _ in range(dice.randint(1, 7))
    ]
    events = pl.DataFrame(rows, schema_overrides={"event_time": pl.Datetime("us", "UTC")})
    return events.with_columns(kafka_timestamp=pl.col("event_time"))


def expected(events: pl.DataFrame, funnels: list[Funnel]) -> Reached:
    """Return what the reference says of every user, funnel and day."""
    histories: dict[str, list[dict[str, Any]]] = {}
    for row in events.to_dicts():
        histories.setdefault(row["user_id"], []).append(row)
    found: Reached = {}
    for funnel in funnels:
        rules = Rules(len(funnel["steps"]), funnel["window_minutes"], funnel["ordered"])
        for user, rows in histories.items():
            history = [(_minutes(row["event_time"]), _steps(row, funnel)) for row in rows]
            for day in sorted({at // DAY for at, _ in history}):
                times = best_attempt([event for event in history if event[1]], rules, range(day * DAY, day * DAY + DAY))
                if times:
                    found[funnel["name"], user, day] = times
    return found


def reached(client: Client) -> Reached:
    """Return what fct_funnel_user says."""
    query = "SELECT funnel, user_id, entry_date, step_times FROM marts.fct_funnel_user"
    rows = client.query(query, query_tz="UTC", tz_mode="aware").result_rows
    return {
        (funnel, user, (day - MIDNIGHT.date()).days): tuple(_minutes(time) for time in times)
        for funnel, user, day, times in rows
    }


def variables(funnels: list[Funnel], **others: object) -> tuple[str, str]:
    """Return dbt's arguments that put `funnels` in the place of the project's."""
    return "--vars", json.dumps({"funnels": funnels, **others})


def _minutes(time: datetime) -> int:
    return round((time - MIDNIGHT).total_seconds() / 60)


def _steps(row: dict[str, Any], funnel: Funnel) -> frozenset[int]:
    page = row["page_url"].removeprefix("https://shop.example").partition("?")[0]
    return frozenset(
        number
        for number, step in enumerate(funnel["steps"], 1)
        if all(
            page.startswith(wanted[:-1])
            if name == "page" and wanted.endswith("*")
            else (page if name == "page" else row[name]) == wanted
            for name, wanted in step.items()
            if name != "name"
        )
    )
