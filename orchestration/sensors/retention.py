"""Deletes old runs: at a run every few seconds the event log would grow by gigabytes a week."""

from datetime import timedelta
from typing import Final

import dagster as dg

from contracts.clock import SystemClock
from contracts.names import DBT_JOB
from orchestration.jobs import TESTS_JOB

INTERVAL_SECONDS: Final = 300
# 180 kB a run: three hours at the streaming cadence are about 400 MB.
KEEP_GOOD: Final = timedelta(hours=3)
KEEP_FAILED: Final = timedelta(days=14)
# A tick has a minute; deleting takes some milliseconds a run, and 5 minutes bring about 60 new ones.
_AT_ONCE: Final = 200


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Deletes successful runs after 3 hours and failed or cancelled ones after 14 days.",
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
        for job in (DBT_JOB, TESTS_JOB):
            old = dg.RunsFilter(job_name=job, statuses=statuses, created_before=before)
            for run in context.instance.get_runs(old, limit=_AT_ONCE, ascending=True):
                context.instance.delete_run(run.run_id)
                deleted += 1
    return dg.SkipReason(f"Deleted {deleted} old runs." if deleted else "No run is old enough to delete.")
