"""What checks ask of ClickHouse and Kafka: a neighbour that is away means that nothing was judged, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from orchestration.resources.clickhouse import ClickHouse

# A check run must not hang on a broker that is away.
KAFKA_SECONDS: Final = 5.0


@contextmanager
def reading(clickhouse: ClickHouse) -> Iterator[Client]:
    """Yield a client of ClickHouse.

    Raises:
        dagster.Failure: it cannot be reached or refuses; the check has no verdict.

    """
    try:
        with clickhouse.client() as client:
            yield client
    except (RetryLater, Permanent) as error:
        raise not_judged(f"ClickHouse at {clickhouse.address}", error) from error


@contextmanager
def asking_kafka(settings: Settings) -> Iterator[Settings]:
    """Yield settings with a short wait for Kafka's answers.

    Raises:
        dagster.Failure: it does not answer or refuses; the check has no verdict.

    """
    milliseconds = min(settings.kafka_consumer_timeout_ms, round(KAFKA_SECONDS * 1000))
    try:
        yield settings.model_copy(update={"kafka_consumer_timeout_ms": milliseconds})
    except (RetryLater, Permanent) as error:
        raise not_judged(f"Kafka at {settings.kafka_broker_url}", error) from error


def not_judged(who: str, error: Exception | str) -> dg.Failure:
    """Return the failure of a check that could not look."""
    return dg.Failure(description=f"Nothing was judged: {who}: {error}", allow_retries=False)
