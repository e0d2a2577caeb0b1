"""The evaluations of checks, as observations; it knows every check of the code location."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg
from dagster._core.event_api import EventLogRecord
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from orchestration.alerts.incidents import Observation

# Our own checks say which question they answer; the others are dbt's tests.
DBT_GROUP: Final = "dbt"
# Evaluations of one check read at once: 100 is eight minutes at the streaming cadence.
_PAGE: Final = 100
# A day without the daemon; older ones say nothing about now.
_PAGES: Final = 180
# What the incident and its message need of a check's metadata; more would only make rows larger.
_KEPT: Final = (
    *("observed", "expected", "ratio", "sample_size", "window", "detector", "threshold"),
    *("items_looked_at", "failed_rows", "runbook"),
)
_SHOWN: Final = 500
_TABLE: Final = 20_000


def new_results(
    instance: dg.DagsterInstance, repository: dg.RepositoryDefinition | None, seen: Mapping[str, Any]
) -> tuple[list[Observation], dict[str, Any]]:
    """Return what was evaluated after `seen` (storage id by check), and the ids after it."""
    if repository is None:
        return [], dict(seen)
    graph = repository.asset_graph
    records = new_evaluations(instance, graph.asset_check_keys, seen)
    after = dict(seen) | {record.key.to_user_string(): record.id for record in records}
    return [observation(record, _owner(graph, record.key.asset_key)) for record in records], after


def new_evaluations(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey], seen: Mapping[str, Any]
) -> list[AssetCheckExecutionRecord]:
    """Return the evaluations after `seen` (storage id by check), oldest first.

    One query asks for every check's latest; only a check with news is asked for its history, so that a
    failure between two ticks is not missed.
    """
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        sorted(keys, key=lambda key: key.to_user_string())
    )
    found: list[AssetCheckExecutionRecord] = []
    for key, record in latest.items():
        after = int(seen.get(key.to_user_string(), 0))
        if record.id > after:
            found += _history(instance, key, after)
    return sorted((one for one in found if _evaluation(one.event) is not None), key=lambda one: one.id)


def observation(record: AssetCheckExecutionRecord, owner: str = "") -> Observation:
    """Return what an evaluation says, in the alerts' terms; the metadata's keys are in docs/alerts.md."""
    evaluation = _evaluation(record.event)
    assert evaluation is not None  # noqa: S101 - new_evaluations left the others out
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    asset, offending = evaluation.asset_key.to_user_string(), metadata.get("offending_items")
    warning = evaluation.severity is dg.AssetCheckSeverity.WARN
    # A check that an upstream one explains passes, and says that it would not have.
    held_back = str(metadata.get("held_back") or "")
    return Observation(
        subject=f"check:{asset}:{evaluation.check_name}",
        kind="check",
        title=f"{evaluation.check_name} on {asset}",
        at=datetime.fromtimestamp(record.event.timestamp if record.event else record.create_timestamp, UTC),
        failing=not evaluation.passed or bool(held_back),
        severity="warning" if warning else "error",
        group=str(metadata.get("group") or DBT_GROUP),
        owner=owner,
        summary=evaluation.description or "",
        items=tuple(map(str, offending)) if isinstance(offending, list | tuple) else (),
        values=_values(metadata, record.run_id),
        held_back=held_back,
        path=f"/assets/{'/'.join(evaluation.asset_key.path)}?view=checks&checkDetail={evaluation.check_name}",
    )


def _history(instance: dg.DagsterInstance, key: dg.AssetCheckKey, after: int) -> list[AssetCheckExecutionRecord]:
    found: list[AssetCheckExecutionRecord] = []
    cursor: int | None = None
    for _ in range(_PAGES):
        page = list(instance.event_log_storage.get_asset_check_execution_history(key, limit=_PAGE, cursor=cursor))
        found += [one for one in page if one.id > after]
        # Without a memory, what the newest page says is enough.
        if len(page) < _PAGE or page[-1].id <= after or not after:
            break
        cursor = page[-1].id
    return found


def _values(metadata: Mapping[str, Any], run: str) -> dict[str, Any]:
    values = {name: _plain(metadata[name]) for name in _KEPT if metadata.get(name) is not None}
    if metadata.get("offending"):
        values["table"] = str(metadata["offending"])[:_TABLE]
    if isinstance(metadata.get("chart"), Mapping):
        values["chart"] = dict(metadata["chart"])
    return values | ({"run": run} if run else {})


def _plain(value: object) -> object:
    return value if isinstance(value, int | float) else str(value)[:_SHOWN]


def _owner(graph: Any, key: dg.AssetKey) -> str:
    owners = graph.get(key).owners if graph.has(key) else []
    return str(owners[0]).removeprefix("team:") if owners else ""


def _evaluation(event: EventLogRecord | Any) -> dg.AssetCheckEvaluation | None:
    """Return the evaluation of a record; None for one that is planned and not done."""
    dagster_event = getattr(event, "dagster_event", None)
    data = getattr(dagster_event, "event_specific_data", None)
    return data if isinstance(data, dg.AssetCheckEvaluation) else None
