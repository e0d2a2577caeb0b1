"""Failed checks become messages: reads new evaluations, folds them into incidents, brings Slack up to date.

It knows every check of the code location. Slack down: it skips and says so, and nothing is lost.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import dagster as dg
from dagster._core.event_api import EventLogRecord
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from contracts.clock import SystemClock
from contracts.settings import load_settings
from orchestration.alerts.delivery import Ledger, Outcome, deliver
from orchestration.alerts.incidents import Fact, Observation

# The daemon looks every 5 s; with exactly 5 here, a look that is early by milliseconds would be skipped.
INTERVAL_SECONDS: Final = 4
# Evaluations of one check read at once: 100 is eight minutes at the streaming cadence.
_HISTORY: Final = 100
_FACT_NAMES: Final = ("window", "threshold", "items_looked_at", "failed_rows")
_SHOWN: Final = 200


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts failed checks to Slack, one message for each stretch of trouble.",
)
def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Read every check's new evaluations and deliver what they change."""
    ledger = Ledger.read(context.cursor)
    keys = check_keys(context.repository_def)
    records = new_evaluations(context.instance, keys, ledger.seen)
    seen = dict(ledger.seen) | {record.key.to_user_string(): record.id for record in records}
    ledger = ledger.after(map(observation, records), seen)
    return result(deliver(ledger, load_settings(), SystemClock().now().timestamp()), len(records))


def result(outcome: Outcome, read: int) -> dg.SensorResult:
    """Return the tick's result: it never asks for a run, so it always says why not."""
    said = f"{outcome.sent} messages sent." if outcome.sent else "Nothing new to say."
    reason = outcome.trouble or f"{read} new results; {said}"
    return dg.SensorResult(skip_reason=reason, cursor=outcome.ledger.write())


def check_keys(repository: dg.RepositoryDefinition | None) -> list[dg.AssetCheckKey]:
    """Return the keys of all checks in the code location."""
    if repository is None:
        return []
    return sorted(repository.asset_graph.asset_check_keys, key=lambda key: key.to_user_string())


def new_evaluations(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey], seen: Mapping[str, Any]
) -> list[AssetCheckExecutionRecord]:
    """Return the evaluations after `seen` (storage id by check), oldest first.

    One query asks for every check's latest; only a check with news is asked for its history, so that a
    failure between two ticks is not missed.
    """
    storage = instance.event_log_storage
    latest = storage.get_latest_asset_check_execution_by_key(list(keys))
    found: list[AssetCheckExecutionRecord] = []
    for key, record in latest.items():
        after = int(seen.get(key.to_user_string(), 0))
        if record.id > after:
            history = storage.get_asset_check_execution_history(key, limit=_HISTORY)
            found += [one for one in history if one.id > after]
    complete = [one for one in found if _evaluation(one.event) is not None]
    return sorted(complete, key=lambda one: one.create_timestamp)


def observation(record: AssetCheckExecutionRecord) -> Observation:
    """Return what an evaluation says, in the alerts' terms."""
    evaluation = _evaluation(record.event)
    assert evaluation is not None  # noqa: S101 - new_evaluations left the others out
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    asset = evaluation.asset_key.to_user_string()
    offending = metadata.get("offending_items")
    warning = evaluation.severity is dg.AssetCheckSeverity.WARN
    return Observation(
        subject=f"check:{asset}:{evaluation.check_name}",
        kind="check",
        title=f"{evaluation.check_name} on {asset}",
        at=record.create_timestamp,
        failing=not evaluation.passed,
        severity="warning" if warning else "error",
        summary=evaluation.description or "",
        facts=_facts(metadata),
        items=tuple(map(str, offending)) if isinstance(offending, list) else (),
        table=str(metadata.get("offending") or ""),
        path=f"/assets/{'/'.join(evaluation.asset_key.path)}?view=checks&checkDetail={evaluation.check_name}",
    )


def _evaluation(event: EventLogRecord | Any) -> dg.AssetCheckEvaluation | None:
    """Return the evaluation of a record; None for one that is planned and not done."""
    dagster_event = getattr(event, "dagster_event", None)
    data = getattr(dagster_event, "event_specific_data", None)
    return data if isinstance(data, dg.AssetCheckEvaluation) else None


def _facts(metadata: Mapping[str, Any]) -> tuple[Fact, ...]:
    return tuple((name.replace("_", " "), str(metadata[name])[:_SHOWN]) for name in _FACT_NAMES if name in metadata)
