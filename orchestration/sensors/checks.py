"""Asks once a minute for the checks that do not wait for the marts, and every ten seconds while one upstream fails.

What hides other alerts must be looked at again soon. ClickHouse down: it skips and says so, and what fails then is
told by the runs of the marts. Kafka down: the run fails, and says in one line what was not judged.
"""

from __future__ import annotations

import dagster as dg

from contracts.clock import SystemClock
from contracts.errors import Permanent, RetryLater
from orchestration.checks.upstream import held_back_by
from orchestration.jobs import CHECKS_JOB, checks_job
from orchestration.resources.clickhouse import ClickHouse

# The daemon looks every 5 s; a little less than 10 here, so that a look that is early does not wait for the next.
INTERVAL_SECONDS = 9
EVERY_SECONDS = 60.0
_SOON = 0.9 * INTERVAL_SECONDS
_GOING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
_MARTS = "SELECT count() FROM system.tables WHERE database = 'marts' AND name = 'fct_item_hourly'"


@dg.sensor(
    job=checks_job,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks once a minute whether all is there, fresh and sane; sooner while something upstream fails.",
)
def checks(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult | dg.SkipReason:
    """Ask when a minute has passed; the cursor is when it was asked last, in epoch seconds."""
    moment = SystemClock().now()
    now, asked = moment.timestamp(), float(context.cursor or 0)
    if now - asked < EVERY_SECONDS and not held_back_by(context.instance, moment):
        return dg.SkipReason(f"The checks were asked for {now - asked:.0f} s ago.")
    if now - asked < _SOON:
        return dg.SkipReason("The checks were asked for a moment ago.")
    if context.instance.get_runs(dg.RunsFilter(job_name=CHECKS_JOB, statuses=_GOING), limit=1):
        return dg.SkipReason("The last checks are still running.")
    try:
        with clickhouse.client() as client:
            built = client.query(_MARTS).result_rows[0][0]
    except (RetryLater, Permanent) as error:
        return dg.SkipReason(f"ClickHouse at {clickhouse.address} does not answer, so nothing is judged: {error}")
    if not built:
        return dg.SkipReason("The marts have not been built yet.")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"{now:.0f}")], cursor=str(now))
