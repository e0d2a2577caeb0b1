"""Asks now and then, while the marts change, for what is too dear to be in every run: the analyses, dbt's tests.

They read Dagster's own storage only. With ClickHouse down no run of the marts succeeds, so nothing is asked for.
"""

from typing import Any, Final

import dagster as dg

from contracts.names import ANALYSES_JOB, DBT_JOB
from orchestration.jobs import analyses_job, tests_job

ANALYSES_SECONDS: Final = 30
TESTS_SECONDS: Final = 60
_GOING: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def _after_marts(name: str, job: Any, what: str, seconds: int, before: str = DBT_JOB) -> dg.SensorDefinition:
    """Return a sensor that asks for `job` after runs of the marts, once the job `before` has succeeded."""

    # Dagster does not export the type of an asset job.
    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks for {what} when the marts have been built since the last time.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Ask if a run of the marts has succeeded since; the cursor is that run's id."""
        finished = dg.RunsFilter(job_name=DBT_JOB, statuses=[dg.DagsterRunStatus.SUCCESS])
        built = context.instance.get_runs(finished, limit=1)
        if not built:
            return dg.SkipReason("The marts have not been built yet.")
        first = dg.RunsFilter(job_name=before, statuses=[dg.DagsterRunStatus.SUCCESS])
        if not context.instance.get_runs(first, limit=1):
            return dg.SkipReason(f"The job {before} has not succeeded yet; the {what} look at what it builds, too.")
        if built[0].run_id == context.cursor:
            return dg.SkipReason(f"The marts have not been built again since the last {what}.")
        if context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=_GOING), limit=1):
            return dg.SkipReason(f"The last {what} are still running.")
        request = dg.RunRequest(run_key=f"after-{built[0].run_id}")
        return dg.SensorResult(run_requests=[request], cursor=built[0].run_id)

    return sensor


analyses: Final = _after_marts("analyses", analyses_job, "analyses", ANALYSES_SECONDS)
dbt_tests: Final = _after_marts("dbt_tests", tests_job, "tests", TESTS_SECONDS, before=ANALYSES_JOB)
