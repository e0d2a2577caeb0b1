"""A broker inside the test process, and the shop most tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Producer

from contracts.settings import Settings
from streaming.produce.encode import Encoder
from streaming.produce.simulator import Shop, history, make_shop
from tests.unit.streaming.produce.shops import END, START


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """librdkafka's built-in broker; yields its address."""
    holder = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none", "log_level": 0})
    found = next(iter(holder.list_topics(timeout=10).brokers.values()))
    yield f"{found.host}:{found.port}"
    del holder


@pytest.fixture
def settings(broker: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings for the built-in broker with a topic and a group of this test's own."""
    own = f"t{abs(hash(request.node.nodeid))}"
    return Settings(
        _env_file=None,
        kafka="memory",
        kafka_broker_url=broker,
        kafka_topic=own,
        kafka_group_id=own,
        millrace_home=tmp_path,
    )


@pytest.fixture(scope="session")
def shop() -> Shop:
    return make_shop(seed=7, users=2_000, items=200)


@pytest.fixture(scope="session")
def sold(shop: Shop) -> pl.DataFrame:
    """Three days of history as the record has them."""
    encoder = Encoder(shop)
    return pl.concat(encoder.encode(timed).record for timed in history(shop, START, END, 200_000))
