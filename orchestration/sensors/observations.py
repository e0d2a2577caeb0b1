"""Keeps the Kafka topics and the raw tables live in the lineage: lag, rate, newest event, and which workers are alive.

They are written by Millrace's workers and not by Dagster, so nothing else would ever be recorded about them.
Kafka down: the raw tables are observed without lag, and the tick says so. ClickHouse down: the topics are observed
without lag, and the tick says so. Both down: it skips with both reasons. Nothing is remembered but the last figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from audit.standing import Standing, kafka_standing
from contracts.clock import SystemClock
from contracts.errors import Permanent, RetryLater
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS
from contracts.settings import Settings, load_settings
from orchestration.assets.raw import table_key, topic_key
from orchestration.observed import Figures, Landed, landed, raw_figures, topic_figures
from orchestration.resources.clickhouse import ClickHouse

# The daemon looks every 5 s; a little less than 20 here, so that a look that is early does not wait for the next.
INTERVAL_SECONDS: Final = 19
# Three questions to the broker must fit into a tick with room to spare.
_KAFKA_SECONDS: Final = 5.0


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes the Kafka topics and the raw tables: lag, rate, newest event, living workers.",
)
def observations(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult | dg.SkipReason:
    """Record one observation of each topic and raw table; the cursor holds the totals that rates are reckoned from."""
    settings, now, troubles = load_settings(), SystemClock().now(), list[str]()
    kafka, raw = _kafka(settings, troubles), _raw(clickhouse, troubles)
    figures = {topic_key(name): one for name, one in topic_figures(settings.topics, kafka, raw).items()}
    if raw is not None:
        found = raw_figures(raw, kafka)
        figures |= {table_key(name): found[name] for name in (RAW_EVENTS, RAW_DEAD_LETTERS)}
    if not figures:
        return dg.SkipReason(" ".join(troubles))
    before = _read(context.cursor)
    events = [_observation(key, one, before, now.timestamp()) for key, one in figures.items()]
    totals = {key.to_user_string(): [one.total, now.timestamp()] for key, one in figures.items()}
    cursor = json.dumps(before | totals)
    if troubles:
        return dg.SensorResult(skip_reason=" ".join(troubles), asset_events=events, cursor=cursor)
    return dg.SensorResult(asset_events=events, cursor=cursor)


def _kafka(settings: Settings, troubles: list[str]) -> Standing | None:
    try:
        return kafka_standing(settings, min(_KAFKA_SECONDS, settings.kafka_consumer_timeout_ms / 1000))
    except (RetryLater, Permanent) as error:
        troubles.append(
            f"Kafka at {settings.kafka_broker_url} does not say how far it is; see `millrace doctor`. {error}"
        )
        return None


def _raw(clickhouse: ClickHouse, troubles: list[str]) -> Landed | None:
    try:
        with clickhouse.client() as client:
            return landed(client)
    except (RetryLater, Permanent) as error:
        troubles.append(f"ClickHouse at {clickhouse.address} does not say what landed: {error}")
        return None


def _read(cursor: str | None) -> dict[str, Any]:
    """Return the totals written last; anything else counts as none, which only costs one rate."""
    try:
        found = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _observation(key: dg.AssetKey, figures: Figures, before: Mapping[str, Any], now: float) -> dg.AssetObservation:
    metadata = dict(figures.metadata)
    last, then = before.get(key.to_user_string(), (None, now))
    if last is not None and now > then and figures.total >= last:
        metadata[f"{figures.unit}_per_second"] = round((figures.total - last) / (now - then), 2)
    return dg.AssetObservation(asset_key=key, metadata=metadata)
