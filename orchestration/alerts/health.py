"""How the hops before a check are doing, in one line: much of what looks like a change of the shop is a pipeline's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import MillraceError
from contracts.names import MODEL_WATERMARKS, RAW_DEAD_LETTERS, RAW_EVENTS
from orchestration.alerts.notice import duration

# Answered from the parts' headers, however many rows there are.
_QUERY: Final = f"""
SELECT
    (SELECT max(ingested_at) FROM {RAW_EVENTS}) AS landed,
    (SELECT max(updated_at) FROM {MODEL_WATERMARKS}) AS folded,
    (SELECT count() FROM {RAW_DEAD_LETTERS} WHERE ingested_at >= now() - INTERVAL 1 HOUR) AS dead
"""  # noqa: S608 - our own constants


def upstream_health(instance: dg.DagsterInstance, client: Client, now: datetime) -> str:
    """Return lag, dead letters of the last hour, and how long ago rows landed and were folded into the marts."""
    try:
        with mapped_errors():
            landed, folded, dead = client.query(_QUERY).result_rows[0]
    except MillraceError as error:
        return f"upstream: unknown, {error}"
    parts = [
        f"lag {_lag(instance)}",
        f"dead letters in the last hour {dead:,}",
        f"newest row landed {_ago(landed, now)}",
        f"newest mart run {_ago(folded, now)}",
    ]
    return f"upstream: {' · '.join(parts)}"


def _lag(instance: dg.DagsterInstance) -> str:
    """Return what the sensor `observations` saw last: asking Kafka here could take longer than a tick has."""
    key = dg.AssetKey(RAW_EVENTS.split("."))
    records = instance.fetch_observations(key, limit=1).records
    observation = records[0].asset_observation if records else None
    lag = observation.metadata.get("lag") if observation else None
    return f"{lag.value:,}" if lag is not None and isinstance(lag.value, int) else "unknown"


def _ago(moment: datetime, now: datetime) -> str:
    seen = moment.replace(tzinfo=UTC)
    if not seen.timestamp():
        return "never"
    return f"{duration(max(0.0, (now - seen).total_seconds()))} ago"
