"""Failed runs become messages: one while a job keeps failing, green again with its next success.

Not Dagster's `@run_failure_sensor`: that one moves on when a message could not be sent, handles five runs
a tick, and would post every 5 seconds while a model is broken.
Slack down: the messages are kept in the cursor and the tick says so.
"""

from typing import Final

import dagster as dg

from contracts.clock import SystemClock
from contracts.settings import load_settings
from orchestration.alerts.delivery import Ledger, deliver
from orchestration.alerts.incidents import Observation
from orchestration.sensors.alerts import result

# The daemon looks every 5 s; with exactly 5 here, a look that is early by milliseconds would be skipped.
INTERVAL_SECONDS: Final = 4
_AT_ONCE: Final = 200
_CHARACTERS: Final = 1_500


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts failed runs to Slack, one message while a job keeps failing.",
)
def run_failures(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Read the runs that ended since the last tick and deliver what they change."""
    ledger = Ledger.read(context.cursor)
    seen = dict(ledger.seen)
    observations: list[Observation] = []
    for kind in (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE):
        page = context.instance.fetch_run_status_changes(
            kind, limit=_AT_ONCE, cursor=seen.get(kind.value), ascending=True
        )
        observations += [_observation(context.instance, record.event_log_entry) for record in page.records]
        seen[kind.value] = page.cursor
    observations.sort(key=lambda one: one.at)
    ledger = ledger.after(observations, seen)
    return result(deliver(ledger, load_settings(), SystemClock().now().timestamp()), len(observations))


def _observation(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> Observation:
    job, event = entry.job_name or "a job", entry.get_dagster_event()
    failing = event.event_type is dg.DagsterEventType.RUN_FAILURE
    return Observation(
        subject=f"run:{job}",
        kind="run",
        title=f"job {job}",
        at=entry.timestamp,
        failing=failing,
        summary=_reason(instance, entry) if failing else "",
        facts=(("job", job), ("run", entry.run_id)),
        path=f"/runs/{entry.run_id}",
    )


def _reason(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> str:
    """Return what the first failed step says, which names the model; else what the run says."""
    failures = instance.all_logs(entry.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    for failure in failures:
        data = failure.get_dagster_event().step_failure_data
        described = data.user_failure_data.description if data.user_failure_data else None
        text = described or (data.error.message if data.error else "")
        if text:
            return f"{failure.step_key}: {text.strip()}"[:_CHARACTERS]
    return (entry.get_dagster_event().message or entry.user_message)[:_CHARACTERS]
