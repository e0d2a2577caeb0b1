"""Asks for each closed day that is not archived as it is, one at a time, oldest first; then for retention, hourly.

What it does when ClickHouse is down, busy or refuses: it skips and says so; the cursor stays.
"""

import json
from datetime import date, datetime
from typing import Any, Final

import dagster as dg

from archive.days import DayState, list_days
from archive.tables import last_closed_day
from contracts.clock import SystemClock
from contracts.errors import Permanent, RetryLater
from contracts.settings import load_settings
from orchestration.assets.archive import FIRST_DAY
from orchestration.assets.retention import RETENTION_JOB, retention_job
from orchestration.jobs import ARCHIVE_JOB, archive_job
from orchestration.resources.clickhouse import ClickHouse

INTERVAL_SECONDS: Final = 60
# A day that failed does not keep the others waiting; it is asked for again after this.
RETRY_SECONDS: Final = 1800
RETENTION_SECONDS: Final = 3600
_GOING: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    jobs=[archive_job, retention_job],
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for closed days that are not archived, and hourly for what RETENTION_DAYS says.",
)
def closed_days(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult | dg.SkipReason:
    """Compare raw's ledger by day with what is archived; the cursor says when what was asked for last."""
    for job in (ARCHIVE_JOB, RETENTION_JOB):
        if context.instance.get_runs(dg.RunsFilter(job_name=job, statuses=_GOING), limit=1):
            return dg.SkipReason(f"A run of {job} is still going.")
    now = SystemClock().now()
    try:
        with clickhouse.client() as client:
            days = list_days(client, last_closed_day(now))
    except (RetryLater, Permanent) as error:
        return dg.SkipReason(f"ClickHouse at {clickhouse.address} does not say which days are closed. {error}")
    return decide(days, _read(context.cursor), now, load_settings().retention_days)


def decide(
    days: list[DayState], asked: dict[str, float], now: datetime, retention_days: int
) -> dg.SensorResult | dg.SkipReason:
    """Return what to ask for: a day, else retention, else nothing.

    Args:
        days: every closed day.
        asked: when a day, or retention, was asked for last, in epoch seconds.
        now: the time.
        retention_days: the setting.
    """
    moment = now.timestamp()
    waiting = [each.day for each in days if each.state in {"waiting", "changed"} and each.day >= FIRST_DAY]
    left = [day for day in waiting if moment - asked.get(day.isoformat(), 0.0) >= RETRY_SECONDS]
    kept = {day.isoformat() for day in waiting}
    asked = {name: at for name, at in asked.items() if name in kept or name == RETENTION_JOB}
    if left:
        return _ask(asked, left[0].isoformat(), moment, job_name=ARCHIVE_JOB, partition_key=left[0].isoformat())
    if _is_due(days, now.date(), retention_days) and moment - asked.get(RETENTION_JOB, 0.0) >= RETENTION_SECONDS:
        return _ask(asked, RETENTION_JOB, moment, job_name=RETENTION_JOB)
    if waiting:
        return dg.SkipReason(f"{waiting[0]} failed and is tried again within {RETRY_SECONDS // 60} minutes.")
    return dg.SkipReason(f"All {len(days)} closed days are archived." if days else "No day is closed yet.")


def _is_due(days: list[DayState], today: date, retention_days: int) -> bool:
    stays = ("archived", "moving")
    return retention_days > 0 and any(
        each.state in stays and each.archived and (today - each.day).days > retention_days for each in days
    )


def _ask(asked: dict[str, float], name: str, moment: float, **request: Any) -> dg.SensorResult:
    run = dg.RunRequest(run_key=f"{name}-{moment:.0f}", **request)
    return dg.SensorResult(run_requests=[run], cursor=json.dumps(asked | {name: moment}))


def _read(cursor: str | None) -> dict[str, float]:
    try:
        return dict(json.loads(cursor)) if cursor else {}
    except (ValueError, TypeError):
        return {}
