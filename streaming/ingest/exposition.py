"""A worker's numbers as the metrics of `contracts/metrics.py`, made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import psutil
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from contracts import metrics
from contracts.exposition import Series, family, histograms
from contracts.histogram import Histogram
from streaming.ingest.health import STATES, Health


class WorkerMetrics(Collector):
    """Collects one worker's metrics; nothing is shared with another worker of the same process.

    Args:
        worker: its name.
        health: what it tells about itself.
    """

    def __init__(self, worker: str, health: Health) -> None:
        self._worker = worker
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Yield every metric once."""
        for metric, value in self._single():
            yield family(metric, {(): value})
        for metric, series in self._labelled():
            yield family(metric, series)
        for metric, histogram in self._histograms():
            yield histograms(metric, {(): histogram.read()})

    def _single(self) -> Iterable[tuple[metrics.Metric, float]]:
        health, meters, standing = self._health, self._health.meters, self._health.standing
        return (
            (metrics.EVENTS, meters.events),
            (metrics.BYTES, meters.bytes),
            (metrics.BATCHES, meters.batches),
            (metrics.NEWEST_EVENT_AGE, health.newest_event_age),
            (metrics.PAUSES, standing.pauses),
            (metrics.PAUSED, standing.paused),
            (metrics.IN_HAND_ROWS, health.in_hand.rows),
            (metrics.IN_HAND_BYTES, health.in_hand.bytes),
            (metrics.RESIDENT, psutil.Process().memory_info().rss),
        )

    def _labelled(self) -> Iterator[tuple[metrics.Metric, Series]]:
        meters, standing, state = self._health.meters, self._health.standing, self._health.state
        readings = {(place.topic, str(place.number)): reading for place, reading in standing.readings.items()}
        lags: Series = {place: reading.lag for place, reading in readings.items() if reading.lag is not None}
        yield metrics.INFO, {(self._worker,): 1}
        yield metrics.STATE, {(each,): each == state for each in STATES}
        yield metrics.DEAD_LETTERS, {(reason,): count for reason, count in dict(meters.letters).items()}
        yield metrics.RETRIES, dict(meters.retries)
        yield metrics.LAG, lags
        yield metrics.POSITION, {place: reading.next_offset for place, reading in readings.items()}
        yield metrics.REBALANCES, {(kind,): count for kind, count in standing.rebalances.items()}
        yield metrics.PARTITIONS, {("placed",): len(readings), ("unplaced",): standing.unplaced}

    def _histograms(self) -> Iterable[tuple[metrics.Metric, Histogram]]:
        meters = self._health.meters
        return (
            (metrics.INSERT_SECONDS, meters.insert_seconds),
            (metrics.INSERT_ROWS, meters.insert_rows),
            (metrics.EVENT_TO_BROKER, meters.event_to_broker),
            (metrics.BROKER_TO_RAW, meters.broker_to_raw),
            (metrics.EVENT_TO_RAW, meters.event_to_raw),
        )
