"""Deletes old runs: at a run every few seconds the event log would grow by gigabytes a week.

It reads and writes Dagster's own storage only; when that is down, no sensor ticks at all.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from sqlalchemy import and_, func, or_, select

from contracts.clock import SystemClock
from contracts.names import ANALYSES_JOB, DBT_JOB
from orchestration.jobs import CHECKS_JOB, SHOP_JOB, TESTS_JOB

INTERVAL_SECONDS: Final = 300
# 180 kB a run: three hours at the streaming cadence are about 400 MB.
KEEP_GOOD: Final = timedelta(hours=3)
KEEP_FAILED: Final = timedelta(days=14)
# Three assets every 20 seconds, 3 kB each time.
KEEP_OBSERVATIONS: Final = timedelta(days=3)
# A tick has a minute; deleting takes some milliseconds a run, and 5 minutes bring about 60 new ones.
_AT_ONCE: Final = 200
# A hundred checks a minute, 2 kB each: ten times what five minutes bring.
_EVALUATIONS_AT_ONCE: Final = 5_000


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes what succeeded or passed after 3 hours, what failed after 14 days, observations after 3.",
)
def old_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Delete what is old; the marts and the checks' latest results stay, as newer runs hold them."""
    now = SystemClock().now()
    rules = {
        now - KEEP_GOOD: [dg.DagsterRunStatus.SUCCESS],
        now - KEEP_FAILED: [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
    }
    deleted = 0
    for before, statuses in rules.items():
        for job in (DBT_JOB, ANALYSES_JOB, CHECKS_JOB, SHOP_JOB, TESTS_JOB):
            old = dg.RunsFilter(job_name=job, statuses=statuses, created_before=before)
            for run in context.instance.get_runs(old, limit=_AT_ONCE, ascending=True):
                context.instance.delete_run(run.run_id)
                deleted += 1
    forget_observations(context.instance, now - KEEP_OBSERVATIONS)
    forget_evaluations(context.instance, now - KEEP_GOOD, now - KEEP_FAILED)
    return dg.SkipReason(f"Deleted {deleted} old runs." if deleted else "No run is old enough to delete.")


def forget_observations(instance: dg.DagsterInstance, before: datetime) -> None:
    """Delete the observations made before a moment (zone-aware); no run holds them, so no run takes them along."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    table = SqlEventLogStorageTable
    old = table.delete().where(
        table.c.run_id == RUNLESS_RUN_ID,
        table.c.dagster_event_type == dg.DagsterEventType.ASSET_OBSERVATION.value,
        table.c.timestamp < before.astimezone(UTC).replace(tzinfo=None),
    )
    # SQLite keeps them twice: in the file of what no run did, and in the index over all runs.
    with storage.run_connection(RUNLESS_RUN_ID) as connection:
        connection.execute(old)
    with storage.index_connection() as connection:
        connection.execute(old)


def forget_evaluations(instance: dg.DagsterInstance, good_before: datetime, failed_before: datetime) -> None:
    """Delete what checks said before two moments (zone-aware); Dagster keeps it when it deletes the run.

    The latest evaluation of each check stays.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    table = AssetCheckExecutionsTable
    good, failed = (at.astimezone(UTC).replace(tzinfo=None) for at in (good_before, failed_before))
    has_failed = table.c.execution_status == AssetCheckExecutionRecordStatus.FAILED.value
    is_old = or_(and_(~has_failed, table.c.create_timestamp < good), table.c.create_timestamp < failed)
    latest = select(func.max(table.c.id)).group_by(table.c.asset_key, table.c.check_name)
    old = select(table.c.id).where(is_old, table.c.id.not_in(latest)).order_by(table.c.id).limit(_EVALUATIONS_AT_ONCE)
    with storage.index_connection() as connection:
        connection.execute(table.delete().where(table.c.id.in_(old)))
