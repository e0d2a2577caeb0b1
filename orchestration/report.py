"""Read-only figures about the cadence, for a status line and a report: what ran, how fast, what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import quantiles
from typing import Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from contracts.names import DBT_JOB

_WAITING: Final = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING]
# A record exists from the moment a run plans the check.
_EVALUATED: Final = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
_AT_MOST: Final = 5_000


@dataclass(frozen=True)
class CadenceSummary:
    """The runs of the marts since a moment; durations in seconds, None where nothing ended yet.

    Args:
        runs: runs asked for.
        runs_failed: those that failed.
        runs_waiting: runs created and not started, right now: the backlog.
        runs_going: runs of any job that are executing, right now.
        materializations: materializations of models.
        check_evaluations: evaluations of checks, of this job and of all others.
        start_p50, start_p95: created to started.
        run_p50, run_p95: started to ended.
        end_to_end_p50, end_to_end_p95: created to ended.
        interval_p50, interval_p95: from one run's creation to the next one's.

    """

    runs: int
    runs_failed: int
    runs_waiting: int
    runs_going: int
    materializations: int
    check_evaluations: int
    start_p50: float | None
    start_p95: float | None
    run_p50: float | None
    run_p95: float | None
    end_to_end_p50: float | None
    end_to_end_p95: float | None
    interval_p50: float | None
    interval_p95: float | None


def cadence_summary(instance: dg.DagsterInstance, since: datetime) -> CadenceSummary:
    """Return the figures of the runs created after `since` (zone-aware)."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=DBT_JOB, created_after=since), limit=_AT_MOST, ascending=True
    )
    created = [record.create_timestamp.timestamp() for record in records]
    ended = [
        (made, record.start_time, record.end_time)
        for made, record in zip(created, records, strict=True)
        if record.start_time is not None and record.end_time is not None
    ]
    start = _p50_p95([began - made for made, began, _ in ended])
    run = _p50_p95([end - began for _, began, end in ended])
    whole = _p50_p95([end - made for made, _, end in ended])
    interval = _p50_p95([later - earlier for earlier, later in pairwise(created)])
    return CadenceSummary(
        runs=len(records),
        runs_failed=sum(one.dagster_run.status is dg.DagsterRunStatus.FAILURE for one in records),
        runs_waiting=runs_waiting(instance),
        runs_going=instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])),
        materializations=_materializations(instance, since),
        check_evaluations=_evaluations(instance, since),
        start_p50=start[0],
        start_p95=start[1],
        run_p50=run[0],
        run_p95=run[1],
        end_to_end_p50=whole[0],
        end_to_end_p95=whole[1],
        interval_p50=interval[0],
        interval_p95=interval[1],
    )


def runs_waiting(instance: dg.DagsterInstance) -> int:
    """Return how many runs of the marts are created and not started, right now: the backlog."""
    return instance.get_runs_count(dg.RunsFilter(job_name=DBT_JOB, statuses=_WAITING))


def _materializations(instance: dg.DagsterInstance, since: datetime) -> int:
    """Return the number of materializations of all assets after `since`."""
    total = 0
    for key in instance.get_asset_keys():
        wanted = dg.AssetRecordsFilter(asset_key=key, after_timestamp=since.timestamp())
        total += len(instance.fetch_materializations(wanted, limit=_AT_MOST).records)
    return total


def _evaluations(instance: dg.DagsterInstance, since: datetime) -> int:
    """Return the number of check evaluations after `since`."""
    from orchestration.definitions import defs  # noqa: PLC0415 - only this figure needs the code location

    total = 0
    for key in defs.get_repository_def().asset_graph.asset_check_keys:
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_AT_MOST)
        total += sum(one.status in _EVALUATED and one.create_timestamp >= since.timestamp() for one in history)
    return total


def _p50_p95(values: list[float]) -> tuple[float | None, float | None]:
    if not values:
        return None, None
    cuts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else [values[0]] * 19
    return round(cuts[9], 3), round(cuts[18], 3)
