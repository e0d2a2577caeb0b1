"""How far the raw tables and the models are, what is wrong, and what waits to be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.client import Client
from prometheus_client.core import Metric as Family

from contracts import platform_metrics as metrics
from contracts.clickhouse import connect, mapped_errors
from contracts.clock import Clock
from contracts.exposition import Series, family
from contracts.metrics import Metric
from contracts.names import ALERT_OUTBOX, INCIDENTS, MODEL_WATERMARKS, RAW_DEAD_LETTERS, RAW_EVENTS
from contracts.settings import Settings
from orchestration.alerts.outbox import LIMITED, QUIET
from orchestration.observed import Landed, landed

_CONNECT_SECONDS: Final = 3
_ANSWER_SECONDS: Final = 6

_PARTS: Final = """
SELECT table, max(parts) AS most
FROM
(
    SELECT concat(database, '.', table) AS table, count() AS parts
    FROM system.parts WHERE active AND database != 'system' GROUP BY table, partition
)
GROUP BY table ORDER BY most DESC, table LIMIT 20
"""
_DISKS: Final = "SELECT name, free_space, total_space FROM system.disks"
# A partition that a model has not begun with counts from its first offset.
_MODELS: Final = f"""
SELECT
    models.model AS model,
    sum(greatest(0, toInt64(newest) - toInt64(done.kafka_offset))) AS behind,
    dateDiff('millisecond', max(models.folded_at), now64(3)) / 1000 AS age
FROM (SELECT model, max(updated_at) AS folded_at FROM {MODEL_WATERMARKS} FINAL GROUP BY model) AS models
CROSS JOIN
(
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest FROM {RAW_EVENTS}
    GROUP BY kafka_topic, kafka_partition
) AS ends
LEFT JOIN (SELECT * FROM {MODEL_WATERMARKS} FINAL) AS done
ON done.model = models.model AND done.kafka_topic = ends.kafka_topic AND done.kafka_partition = ends.kafka_partition
GROUP BY model
"""  # noqa: S608 - our own names
_INCIDENTS: Final = f"""
SELECT severity, state, count() FROM (SELECT fingerprint, severity, state FROM {INCIDENTS} FINAL)
WHERE state != 'resolved' GROUP BY severity, state
"""  # noqa: S608 - our own names
_WAITING: Final = f"""
SELECT channel, count(),
    maxIf(dateDiff('millisecond', created_at, now64(3)), reason NOT IN {{on_purpose:Array(String)}}) / 1000
FROM (SELECT id, channel, state, reason, created_at FROM {ALERT_OUTBOX} FINAL)
WHERE state IN ('pending', 'sending') GROUP BY channel
"""  # noqa: S608 - our own names


def look_at_clickhouse(settings: Settings, clock: Clock) -> Iterator[Family]:
    """Yield what ClickHouse says, as CLICKHOUSE_USER; the role millrace_metrics is enough.

    Raises:
        RetryLater: it cannot be reached or is busy.
        Permanent: it refuses; has `millrace migrate` run?
    """
    client = connect(
        settings,
        connect_timeout=_CONNECT_SECONDS,
        send_receive_timeout=_ANSWER_SECONDS,
        client_name="millrace-metrics",
    )
    try:
        with mapped_errors():
            yield from _raw(landed(client), clock)
            yield from _storage(client)
            yield from _marts(client)
            yield from _alerts(client)
    finally:
        client.close()


def _raw(raw: Landed, clock: Clock) -> Iterator[Family]:
    now = clock.now()
    landings = {RAW_EVENTS: raw.events_at, RAW_DEAD_LETTERS: raw.letters_at}
    yield family(
        metrics.RAW_END,
        {(topic, str(number)): end for topic, ends in raw.ends.items() for number, end in ends.items()},
    )
    yield family(metrics.RAW_ROWS, {(RAW_EVENTS,): raw.events, (RAW_DEAD_LETTERS,): raw.letters})
    yield family(
        metrics.LANDING_AGE,
        {(table,): max(0.0, (now - at).total_seconds()) for table, at in landings.items() if at is not None},
    )


def _storage(client: Client) -> Iterator[Family]:
    yield family(metrics.PARTS, {(table,): most for table, most in client.query(_PARTS).result_rows})
    disks = client.query(_DISKS).result_rows
    yield family(metrics.DISK_FREE, {(name,): free for name, free, _ in disks})
    yield family(metrics.DISK_SIZE, {(name,): size for name, _, size in disks})


def _marts(client: Client) -> Iterator[Family]:
    rows = client.query(_MODELS).result_rows
    yield family(metrics.BEHIND, {(model,): behind for model, behind, _ in rows})
    yield family(metrics.DELAY, {(model,): max(0.0, float(age)) if behind else 0.0 for model, behind, age in rows})


def _alerts(client: Client) -> Iterator[Family]:
    counts = client.query(_INCIDENTS).result_rows
    # Zeros too, so that a panel and an alert have something to look at while all is well.
    none = dict.fromkeys((severity, state) for severity in ("error", "warning") for state in ("open", "acknowledged"))
    open_now: Series = dict.fromkeys(none, 0) | {(severity, state): n for severity, state, n in counts}
    yield family(metrics.INCIDENTS, open_now)
    rows = client.query(_WAITING, parameters={"on_purpose": [QUIET, LIMITED]}).result_rows
    waiting: list[tuple[Metric, Series]] = [
        (metrics.WAITING, {(channel,): messages for channel, messages, _ in rows}),
        (metrics.OLDEST_AGE, {(channel,): age for channel, _, age in rows}),
    ]
    for metric, series in waiting:
        yield family(metric, series)
