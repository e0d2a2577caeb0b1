"""Asks for the checks that do not wait for the marts: once a minute, or every ten minutes for those of hours and days.

What hides other alerts must be looked at again soon: every ten seconds while a check upstream fails. ClickHouse down:
they skip and say so, and what fails then is told by the runs of the marts. Kafka down: the run fails, and says in one
line what was not judged.
"""

from __future__ import annotations

from typing import Any, Final

import dagster as dg

from contracts.clock import SystemClock
from contracts.errors import Permanent, RetryLater
from orchestration.checks.upstream import held_back_by
from orchestration.jobs import checks_job, shop_checks_job
from orchestration.resources.clickhouse import ClickHouse

# The daemon looks every 5 s; a little less than 10 here, so that a look that is early does not wait for the next.
INTERVAL_SECONDS: Final = 9
EVERY_SECONDS: Final = 60.0
SHOP_SECONDS: Final = 600.0
_GOING: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
_MARTS: Final = """
SELECT count() FROM system.tables WHERE database = 'marts' AND name IN ('fct_item_hourly', 'fct_funnel')
"""


def _asks_for(name: str, job: Any, seconds: float, *, soon: bool) -> dg.SensorDefinition:
    # Dagster does not export the type of an asset job.
    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Asks for {job.name} every {seconds:.0f} s{', sooner while one upstream fails' if soon else ''}.",
    )
    def sensor(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult | dg.SkipReason:
        """Ask when the time has come; the cursor is when it was asked last, in epoch seconds."""
        now, asked = SystemClock().now(), float(context.cursor or 0)
        passed = now.timestamp() - asked
        if passed < seconds and not (soon and held_back_by(context.instance, now)):
            return dg.SkipReason(f"Asked for {passed:.0f} s ago, the next time after {seconds:.0f} s.")
        if context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=_GOING), limit=1):
            return dg.SkipReason("The last checks are still running.")
        if reason := _why_not(clickhouse):
            return dg.SkipReason(reason)
        cursor = str(now.timestamp())
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=cursor)], cursor=cursor)

    return sensor


def _why_not(clickhouse: ClickHouse) -> str:
    """Return why nothing can be judged now, or ''."""
    try:
        with clickhouse.client() as client:
            built = client.query(_MARTS).result_rows[0][0]
    except (RetryLater, Permanent) as error:
        return f"ClickHouse at {clickhouse.address} does not answer, so nothing is judged: {error}"
    return "" if built == 2 else "The marts have not been built yet."  # noqa: PLR2004 - the two that are asked for


checks: Final = _asks_for("checks", checks_job, EVERY_SECONDS, soon=True)
shop_checks: Final = _asks_for("shop_checks", shop_checks_job, SHOP_SECONDS, soon=False)
