"""Seconds from an event's own time to its being visible in `fct_item`, measured from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import MillraceError
from local.demo.reckoning import read_record

# A resend keeps its event's time and a spike is sent live; late and skewed events lie about theirs.
_TIMED = ("", "spike")
# `fct_item` is a view of int_item, whose rows carry the sum of the offsets that int_events had reached before them
# (`run_version` in dbt_project/macros/landing_window.sql).
_REACHED = """
SELECT kafka_topic, kafka_partition, max(kafka_offset), (SELECT max(version) FROM intermediate.int_item)
FROM ops.model_watermarks WHERE model = 'int_events' GROUP BY kafka_topic, kafka_partition
"""
_POLL_SECONDS = 0.25


class FreshnessProbe:
    """Watch how far the rows of `fct_item` have come, partition by partition.

    Args:
        connect: makes a client of this thread's own, which may read the marts and their watermarks.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        # By their sum, what int_events has reached and fct_item has not.
        self._coming: dict[int, list[tuple[int, int]]] = {}
        self._newest = -1
        self._steps: list[tuple[int, int, datetime]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="freshness", daemon=True)

    def start(self) -> None:
        """Begin to watch in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(10)

    def quantiles(self, record: Path, since: datetime) -> tuple[float, float]:
        """Return p50 and p95 in seconds over the recorded events sent from `since` on that are visible."""
        events = (
            read_record(record, ["partition", "offset", "event_time", "fault", "item_id"])
            .filter(pl.col("fault").is_in(_TIMED) & (pl.col("event_time") >= since))
            .filter(pl.col("item_id").fill_null("") != "")
            .select(pl.col("partition").cast(pl.Int64), pl.col("offset").cast(pl.Int64), "event_time")
            .sort("offset")
        )
        steps = pl.DataFrame(
            self._steps,
            schema={"partition": pl.Int64, "offset": pl.Int64, "visible_at": pl.Datetime("us", "UTC")},
            orient="row",
        )
        # A partition without new events is reached again by each run.
        steps = steps.group_by("partition", "offset").agg(pl.col("visible_at").min()).sort("offset")
        joined = events.join_asof(
            steps, on="offset", by="partition", strategy="forward", check_sortedness=False
        ).drop_nulls("visible_at")
        if joined.is_empty():
            return float("nan"), float("nan")
        seconds = joined.select((pl.col("visible_at") - pl.col("event_time")).dt.total_microseconds() / 1e6)
        series = seconds.to_series()
        return round(float(series.quantile(0.5) or 0), 2), round(float(series.quantile(0.95) or 0), 2)

    def _watch(self) -> None:
        client: Client | None = None
        while not self._stop.is_set():
            try:
                client = client or self._connect()
                self._poll(client)
            except MillraceError:  # the probe outlives any outage of what it probes
                client = None
            time.sleep(_POLL_SECONDS)

    def _poll(self, client: Client) -> None:
        with mapped_errors():
            rows = client.query(_REACHED).result_rows
        now = datetime.now(UTC)
        if not rows:
            return
        version = rows[0][3]
        reached = [(partition, offset) for _, partition, offset, _ in rows]
        total = sum(offset for _, offset in reached)
        if total > self._newest:
            self._newest, self._coming[total] = total, reached
        for total in [one for one in self._coming if one <= version]:
            self._steps += [(partition, offset, now) for partition, offset in self._coming.pop(total)]
