"""Asks for dbt's data tests once a minute while the marts change: they scan, so they are not in every run."""

from typing import Final

import dagster as dg

from contracts.names import DBT_JOB
from orchestration.jobs import TESTS_JOB, tests_job

INTERVAL_SECONDS: Final = 60


@dg.sensor(
    job=tests_job,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for dbt's tests when the marts have been built since the last time.",
)
def dbt_tests(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for the tests if a run of the marts has succeeded since; the cursor is that run's id."""
    finished = dg.RunsFilter(job_name=DBT_JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
    built = context.instance.get_runs(finished, limit=1)
    if not built:
        return dg.SkipReason("The marts have not been built yet.")
    if built[0].run_id == context.cursor:
        return dg.SkipReason("The marts have not been built again since the last tests.")
    going = [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    if context.instance.get_runs(dg.RunsFilter(job_name=TESTS_JOB, statuses=going), limit=1):
        return dg.SkipReason("The last tests are still running.")
    request = dg.RunRequest(run_key=f"after-{built[0].run_id}")
    return dg.SensorResult(run_requests=[request], cursor=built[0].run_id)
