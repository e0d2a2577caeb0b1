"""A small shop whose marts are built once, and a dashboard on it, for the tests of the pages."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import polars as pl
import uvicorn
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.clock import SystemClock
from contracts.names import ROLE_DASHBOARD
from contracts.settings import Settings
from dashboard.app import make_app
from local.clickhouse.config import passwords
from local.ports import free_ports
from tests.patience import WAIT_SECONDS

T = TypeVar("T")


def visits(seed: int, users: int, now: datetime) -> pl.DataFrame:
    """Events of visits over the last three days; every fifth user is here now, and the odd ones see a variation."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for user in range(users):
        for _ in range(int(rng.integers(1, 4))):
            ago = rng.random() * 240 if user % 5 == 0 else 3600 * 6 + rng.random() * 230_000
            rows += _visit(rng, user, now - timedelta(seconds=float(ago)))
    kinds = {"event_time": pl.Datetime("us", "UTC"), "kafka_timestamp": pl.Datetime("us", "UTC"), "quantity": pl.Int64}
    return pl.DataFrame(rows, schema_overrides=kinds)


def _visit(rng: np.random.Generator, user: int, start: datetime) -> list[dict[str, Any]]:
    item = f"item-{int(rng.integers(0, 12))}"
    steps = [("search", "/search"), ("page_view", "/"), ("page_view", f"/p/{item}")]
    steps += [("add_to_cart", f"/p/{item}")] if rng.random() < 0.6 else []
    steps += [("purchase", "/checkout")] if len(steps) > 3 and rng.random() < 0.5 else []
    session = f"session-{rng.integers(0, 2**40)}"
    return [
        event(
            kind,
            start + timedelta(seconds=5 * at),
            user_id=f"user-{user}",
            session_id=session,
            item_id=item if at >= 2 else "",
            page_url=f"https://shop.example{page}",
            device_type=("mobile", "desktop", "tablet")[user % 3],
            country=("DE", "US", "FR", "")[user % 4],
            experiment_name="button" if at == 1 else "",
            experiment_variation=("control", "green")[user % 2] if at == 1 else "",
        )
        for at, (kind, page) in enumerate(steps)
    ]


def event(kind: str, at: datetime, **changes: Any) -> dict[str, Any]:
    """One event as a row of raw.events without its place in Kafka."""
    usual = {
        "event_id": str(uuid.uuid4()),
        "event_type": kind,
        "event_time": at,
        "kafka_timestamp": at,
        "price": "12.5" if kind == "purchase" else "",
        "quantity": 2 if kind == "purchase" else None,
        "item_category": "hats",
        "search_query": "green hat" if kind == "search" else "",
    }
    return usual | changes


@dataclass(frozen=True)
class Answer:
    """An answer of the dashboard over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class World:
    """A dashboard with what it stands on.

    Args:
        address: of the dashboard, without a path.
        client: of ClickHouse as its owner.
        settings: of ClickHouse as its owner.
    """

    address: str
    client: Client
    settings: Settings

    def get(self, path: str, **headers: str) -> Answer:
        return fetch(urllib.request.Request(self.address + path, headers=headers))

    def post(self, path: str, form: str, **headers: str) -> Answer:
        return fetch(urllib.request.Request(self.address + path, form.encode(), headers, method="POST"))

    def one(self, query: str) -> Any:
        """The one value that a direct query gives."""
        return self.client.query(query).result_rows[0][0]


def fetch(request: urllib.request.Request) -> Answer:
    """Send a request and return the answer, whatever its status."""
    try:
        with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())


def as_dashboard(settings: Settings, home: Any, **changes: Any) -> Settings:
    """The settings of a dashboard that reads with its own role; `home` is the server's folder."""
    secret = passwords(home)[ROLE_DASHBOARD]
    return settings.model_copy(
        update={"clickhouse_user": ROLE_DASHBOARD, "clickhouse_password": SecretStr(secret), **changes}
    )


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Serve a dashboard in a thread; yields its address."""
    port = free_ports(1)[0]
    config = uvicorn.Config(make_app(settings, SystemClock()), host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(WAIT_SECONDS)


def eventually(ask: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """Return the first true answer of `ask`.

    Raises:
        AssertionError: there was none in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s, last: {answer!r}"
        time.sleep(0.05)


def now() -> datetime:
    """This moment (UTC)."""
    return datetime.now(UTC)
