"""The ends of runs, as observations: a job that fails is in trouble until it succeeds again.

Not Dagster's `@run_failure_sensor`: that one moves on when a message could not be sent, handles five runs
a tick, and would post every 5 seconds while a model is broken.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from orchestration.alerts.incidents import Observation

GROUP: Final = "runs"
_AT_ONCE: Final = 200
_CHARACTERS: Final = 1_500


def new_run_ends(instance: dg.DagsterInstance, seen: Mapping[str, Any]) -> tuple[list[Observation], dict[str, Any]]:
    """Return what ended after `seen` (a storage cursor by kind of event), and the cursors after it."""
    observations: list[Observation] = []
    after = dict(seen)
    for kind in (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE):
        page = instance.fetch_run_status_changes(kind, limit=_AT_ONCE, cursor=seen.get(kind.value), ascending=True)
        observations += [_observation(instance, record.event_log_entry) for record in page.records]
        after[kind.value] = page.cursor
    return observations, after


def _observation(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> Observation:
    job, event = entry.job_name or "a job", entry.get_dagster_event()
    failing = event.event_type is dg.DagsterEventType.RUN_FAILURE
    return Observation(
        subject=f"run:{job}",
        kind="run",
        title=f"job {job}",
        at=datetime.fromtimestamp(entry.timestamp, UTC),
        failing=failing,
        group=GROUP,
        summary=_reason(instance, entry) if failing else "",
        values={"job": job, "run": entry.run_id},
        path=f"/runs/{entry.run_id}",
    )


def _reason(instance: dg.DagsterInstance, entry: dg.EventLogEntry) -> str:
    """Return what the first failed step says, which names the model; else what the run says."""
    failures = instance.all_logs(entry.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    for failure in failures:
        data = failure.get_dagster_event().step_failure_data
        described = data.user_failure_data.description if data.user_failure_data else None
        text = described or _cause(data.error)
        if text.strip():
            return f"{failure.step_key}: {text.strip()}"[:_CHARACTERS]
    return (entry.get_dagster_event().message or entry.user_message)[:_CHARACTERS]


def _cause(error: SerializableErrorInfo | None) -> str:
    """Return what the error says that everything began with; the ones around it only say where."""
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message if error else ""
