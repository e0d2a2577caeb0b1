"""How runs, sensors, daemons, checks and builds of the marts are doing, from Dagster's own storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg
import numpy as np
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES, RunRecord
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from prometheus_client.core import Metric as Family
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from contracts import platform_metrics as metrics
from contracts.clock import Clock
from contracts.errors import RetryLater
from contracts.exposition import family, histograms
from contracts.histogram import Histogram
from contracts.names import MARTS
from orchestration.sensors.sensor_ticks import ENDED, SensorState, running_sensors

# Longer than a tick lasts, and than the clocks of two machines differ: what ended is looked for so far back again.
_OVERLAP: Final = timedelta(minutes=3)
# A check that nobody evaluated for so long is not in the code any more.
_FORGOTTEN: Final = timedelta(days=7)
_FAILED: Final = AssetCheckExecutionRecordStatus.FAILED.value
_DONE: Final = (AssetCheckExecutionRecordStatus.SUCCEEDED.value, _FAILED)


class DagsterLook:
    """Looks at one instance; what ended is counted from the moment on at which this was made.

    Args:
        open_instance: opens it; asked until it succeeds once. It may raise RetryLater.
        clock: the time.
    """

    def __init__(self, open_instance: Callable[[], dg.DagsterInstance], clock: Clock) -> None:
        self._open = open_instance
        self._clock = clock
        self._began = clock.now()
        self._instance: dg.DagsterInstance | None = None
        self._runs = RunEnds()
        self._ticks = TickEnds()
        self._checks = Checks()

    def __call__(self) -> list[Family]:
        """Return what the instance says.

        Raises:
            RetryLater: its storage cannot be read, or is not there yet.
        """
        try:
            if self._instance is None:
                self._instance = self._open()
            return list(self._look(self._instance))
        except (dg.DagsterError, SQLAlchemyError, OSError) as error:
            raise RetryLater(f"Dagster's storage cannot be read: {' '.join(str(error).split())[:300]}") from error

    def close(self) -> None:
        """Close what was opened."""
        if self._instance is not None:
            self._instance.dispose()

    def _look(self, instance: dg.DagsterInstance) -> Iterator[Family]:
        now = self._clock.now()
        since = max(self._began, now - _OVERLAP)
        unfinished, sensors = _unfinished(instance), running_sensors(instance)
        self._runs.take(instance, since, self._began)
        yield from self._runs.families(job for job, _ in unfinished)
        self._ticks.take(instance, sensors.values(), since)
        yield from self._ticks.families(sensors)
        yield family(metrics.RUNS, unfinished)
        heartbeats = instance.get_daemon_heartbeats().values()
        yield family(metrics.DAEMON_AGE, {(one.daemon_type,): _age(now, one.timestamp) for one in heartbeats})
        yield family(metrics.TICK_AGE, {(name,): _age(now, stamp) for name, (_, stamp) in sensors.items()})
        self._checks.take(instance, now)
        yield from self._checks.families(now)
        yield family(metrics.BUILD_AGE, _builds(instance, now))


class RunEnds:
    """Counts the runs that ended, each once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._ends: Counter[tuple[str, ...]] = Counter()
        self._seconds: dict[tuple[str, ...], Histogram] = {}
        self._waits: dict[tuple[str, ...], Histogram] = {}

    def take(self, instance: dg.DagsterInstance, since: datetime, began: datetime) -> None:
        """Take in what was written since then and ended after `began`."""
        # A run that ends is written, so nothing that was not written since has ended since.
        records = instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES, updated_after=since))
        for record in records:
            if record.dagster_run.run_id not in self._seen and (record.end_time or 0) >= began.timestamp():
                self._add(record)
        self._seen = {record.dagster_run.run_id for record in records}

    def families(self, jobs: Iterable[str]) -> Iterator[Family]:
        """Yield the three metrics, with zeros for what these jobs, and those that ended, have not done yet.

        Prometheus sees how a counter grows, not with how much it begins: a first failure would be none.
        """
        known = {*jobs, *(job for job, _ in self._ends)}
        self._ends.update({(job, status.value): 0 for job in known for status in FINISHED_STATUSES})
        yield family(metrics.RUN_ENDS, self._ends)
        for metric, by_job in ((metrics.RUN_SECONDS, self._seconds), (metrics.RUN_WAIT, self._waits)):
            yield histograms(metric, {job: one.read() for job, one in by_job.items()})

    def _add(self, record: RunRecord) -> None:
        run, started, ended = record.dagster_run, record.start_time, record.end_time
        self._ends[run.job_name, run.status.value] += 1
        if started is None or ended is None:  # it never started
            return
        waited = started - record.create_timestamp.timestamp()
        for by_job, seconds in ((self._seconds, ended - started), (self._waits, waited)):
            histogram = by_job.setdefault((run.job_name,), Histogram(metrics.RUN_SECONDS.buckets))
            histogram.add(np.array([max(seconds, 0.0)]))


class TickEnds:
    """Counts the ticks that ended, each once."""

    def __init__(self) -> None:
        self._seen: set[Any] = set()
        self._ends: Counter[tuple[str, ...]] = Counter()

    def take(self, instance: dg.DagsterInstance, sensors: Iterable[SensorState], since: datetime) -> None:
        """Take in the ticks that began since then."""
        ticks: list[InstigatorTick] = []
        for state, _ in sensors:
            names = (state.instigator_origin_id, state.selector_id)
            ticks += instance.get_ticks(*names, after=since.timestamp(), statuses=ENDED)
        for tick in ticks:
            if tick.tick_id not in self._seen:
                self._ends[tick.instigator_name, tick.status.value] += 1
        self._seen = {tick.tick_id for tick in ticks}

    def families(self, sensors: Iterable[str]) -> Iterator[Family]:
        """Yield the metric, with zeros as for runs."""
        self._ends.update({(sensor, status.value): 0 for sensor in sensors for status in ENDED})
        yield family(metrics.TICKS, self._ends)


class Checks:
    """Knows the latest outcome of each check, also of one that is being evaluated again."""

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], tuple[bool, datetime]] = {}

    def take(self, instance: dg.DagsterInstance, now: datetime) -> None:
        """Take in what was evaluated since the last time."""
        storage = instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            return
        table = AssetCheckExecutionsTable.c
        # Answered by an index alone; the rows themselves are kilobytes each, and there are very many.
        latest = select(func.max(table.id)).group_by(table.asset_key, table.check_name)
        columns = (table.asset_key, table.check_name, table.execution_status, table.evaluation_event_timestamp)
        with storage.index_connection() as connection:
            rows: Iterable[Any] = connection.execute(select(*columns).where(table.id.in_(latest))).all()
        for asset, check, status, at in rows:
            if status in _DONE:
                self._outcomes[asset, check] = status == _FAILED, at.replace(tzinfo=UTC)
        self._outcomes = {name: one for name, one in self._outcomes.items() if now - one[1] < _FORGOTTEN}

    def families(self, now: datetime) -> Iterator[Family]:
        """Yield the three metrics."""
        failing = [name for name, (failed, _) in self._outcomes.items() if failed]
        passed = len(self._outcomes) - len(failing)
        yield family(metrics.CHECKS, {("passed",): passed, ("failed",): len(failing)})
        yield family(metrics.FAILING, {(_dotted(asset), check): 1.0 for asset, check in failing})
        newest = max((at for _, at in self._outcomes.values()), default=None)
        yield family(metrics.EVALUATION_AGE, {} if newest is None else {(): _age(now, newest.timestamp())})


def _dotted(asset: str) -> str:
    key = dg.AssetKey.from_db_string(asset)
    return ".".join(key.path) if key else asset


def _unfinished(instance: dg.DagsterInstance) -> Counter[tuple[str, ...]]:
    runs = instance.get_runs(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    return Counter((run.job_name, run.status.value) for run in runs)


def _builds(instance: dg.DagsterInstance, now: datetime) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for record in instance.get_asset_records([dg.AssetKey(["marts", mart]) for mart in MARTS]):
        built = record.asset_entry.last_materialization
        if built is not None:
            found[(record.asset_entry.asset_key.path[-1],)] = _age(now, built.timestamp)
    return found


def _age(now: datetime, stamp: float) -> float:
    return max(0.0, now.timestamp() - stamp)
