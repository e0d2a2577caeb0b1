"""Every dbt model as an asset and every dbt test as an asset check, run by dbt in this process or in a new one."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent, RetryLater
from contracts.names import ANALYSES_JOB, DBT_JOB
from orchestration.assets.column_lineage import ColumnLineage, keys_read
from orchestration.assets.dbt_cli import NO_UNIT_TESTS, command_for, run_in_new_process
from orchestration.assets.dbt_results import check_result, model_metadata, raise_failures
from orchestration.assets.dbt_translation import MillraceTranslator
from orchestration.assets.table_metadata import table_columns, table_metadata
from orchestration.resources.clickhouse import ClickHouse
from orchestration.resources.dbt import InProcessDbt, NodeResult
from orchestration.resources.dbt_project import manifest
from orchestration.resources.dbt_views import remember_views, unchanged_views

_TRANSLATOR: Final = MillraceTranslator()
_DONE: Final = {"success", "no-op"}
# Jobs that come every few seconds, or twice a minute.
_FREQUENT: Final = {DBT_JOB, ANALYSES_JOB}
# Column lineage is reckoned for so long in a run that nobody waits for by the second.
_LINEAGE_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Nodes:
    """The project's nodes: dbt's names to Dagster's keys."""

    assets: Mapping[str, dg.AssetKey]
    checks: Mapping[str, dg.AssetCheckKey]


@cache
def nodes() -> Nodes:
    """Return the keys of the models and tests that became assets and checks."""
    parsed = manifest()
    kinds = {name: node["resource_type"] for name, node in parsed["nodes"].items()}
    tests = (name for name, kind in kinds.items() if kind == "test")
    keys = {name: get_asset_check_key_for_test(parsed, _TRANSLATOR, name, project=None) for name in tests}
    return Nodes(
        assets={
            name: _TRANSLATOR.get_asset_spec(parsed, name, None).key
            for name, kind in kinds.items()
            if kind in {"model", "seed", "snapshot"}
        },
        checks={name: key for name, key in keys.items() if key is not None},
    )


def never_blocking(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Return `assets` with checks that fail without failing the run.

    dagster-dbt makes tests of severity error blocking: a failed test would then be told twice, as a failed
    check and as a failed run.
    """
    attributes = assets.get_attributes_dict()
    specs = attributes["check_specs_by_output_name"]
    calm = {name: spec._replace(blocking=False) for name, spec in specs.items()}
    return dg.AssetsDefinition.dagster_internal_init(**(attributes | {"check_specs_by_output_name": calm}))


@never_blocking
@dbt_assets(manifest=manifest(), name="dbt", dagster_dbt_translator=_TRANSLATOR)
def dbt_models(
    context: dg.AssetExecutionContext,
    dbt: dg.ResourceParam[InProcessDbt | DbtCliResource],
    clickhouse: ClickHouse,
) -> Iterator[Any]:
    """Run what is selected: `dbt run` for models, `dbt test` for checks, `dbt build` for both."""
    names, tests = _selected(context.selected_asset_keys, context.selected_asset_check_keys)
    if isinstance(dbt, DbtCliResource):
        yield from run_in_new_process(context, dbt, command_for(names, tests))
        return
    kept = _unchanged(context, clickhouse, names) if not tests else set()
    wanted = [name for name in names if name not in kept]
    command, arguments = _command(wanted, tests)
    done = dbt.invoke(command, arguments, context.log, writes=wanted or None) if arguments else []
    if command == "test":
        done = _confirmed(context, dbt, done)
    # Dagster wants a model after those it reads.
    results = sorted([*done, *_left_alone(kept, done)], key=lambda one: len(_above(one.unique_id)))
    built = [result for result in results if result.unique_id in nodes().assets and result.status in _DONE]
    with _tables(context, clickhouse, [result.unique_id for result in built], kept) as metadata_of:
        for result in built:
            metadata = {**model_metadata(result), **metadata_of(result.unique_id)}
            yield dg.MaterializeResult(asset_key=nodes().assets[result.unique_id], metadata=metadata)
    for result in results:
        check = nodes().checks.get(result.unique_id)
        if check is not None and check in context.selected_asset_check_keys and result.status != "skipped":
            yield check_result(check, result)
    raise_failures(command, results)


def _selected(assets: Iterable[dg.AssetKey], checks: Iterable[dg.AssetCheckKey]) -> tuple[list[str], list[str]]:
    """Return dbt's names of the selected models and tests."""
    wanted, wanted_checks = set(assets), set(checks)
    names = [name for name, key in nodes().assets.items() if key in wanted]
    return names, [name for name, key in nodes().checks.items() if key in wanted_checks]


def _command(names: Sequence[str], tests: Sequence[str]) -> tuple[str, list[str]]:
    """Return the dbt command and its arguments; none where nothing is to be done."""
    if not names and not tests:
        return "run", []
    command, parsed = command_for(names, tests), manifest()["nodes"]
    arguments = [] if command == "run" else list(NO_UNIT_TESTS)
    paths = [".".join(parsed[name]["fqn"]) for name in (*names, *tests)]
    return command, [*arguments, "--indirect-selection", "empty", "--select", *(f"fqn:{path}" for path in paths)]


def _confirmed(context: dg.AssetExecutionContext, dbt: InProcessDbt, results: Sequence[NodeResult]) -> list[NodeResult]:
    """Return the results, with tests that failed done once more while nothing is written.

    Tests run beside the runs of the marts, and between two models of such a run a session's user is not there yet.
    """
    failed = [one.unique_id for one in results if one.status in {"fail", "warn"}]
    if not failed:
        return list(results)
    again = dbt.invoke(*_command([], failed), context.log, alone=True)
    return [*(one for one in results if one.unique_id not in failed), *again]


def _unchanged(context: dg.AssetExecutionContext, clickhouse: ClickHouse, names: Sequence[str]) -> set[str]:
    """Return the views that need not be made again; none when ClickHouse does not say, then dbt will."""
    try:
        with clickhouse.client() as client:
            return unchanged_views(client, names)
    except (RetryLater, Permanent) as error:
        context.log.warning(f"All views are made again: {error}")
        return set()


def _left_alone(views: Collection[str], results: Iterable[NodeResult]) -> list[NodeResult]:
    """Return what dbt would say of views that it need not make: skipped where a model above them failed."""
    broken = {one.unique_id for one in results if one.status not in _DONE}
    return [
        NodeResult(name, "skipped" if broken & _above(name) else "success", "UNCHANGED", 0.0, None, "")
        for name in views
    ]


@cache
def _above(name: str) -> frozenset[str]:
    """Return everything that a node is made from, directly or not."""
    parents = manifest()["parent_map"].get(name, ())
    return frozenset(parents).union(*(_above(one) for one in parents))


@contextmanager
def _tables(
    context: dg.AssetExecutionContext, clickhouse: ClickHouse, names: Sequence[str], kept: Collection[str]
) -> Iterator[Callable[[str], Mapping[str, Any]]]:
    """Yield what gives a model's row count, columns and their lineage.

    The models are built, so a failure to look is only a warning.
    """
    if not names:
        yield _nothing  # only tests were done
        return
    lineage = ColumnLineage(_TRANSLATOR)
    missing = lineage.missing(names) if context.job_name != DBT_JOB else []
    with ExitStack() as held:
        try:
            client = held.enter_context(clickhouse.client())
            with mapped_errors():
                remember_views(client, [name for name in names if name not in kept])
                keys = [nodes().assets[name] for name in names]
                found = held.enter_context(table_metadata(client, keys, in_a_hurry=context.job_name in _FREQUENT))
                if missing:
                    lineage.find(missing, table_columns(client, keys_read(missing)), _LINEAGE_SECONDS)
        except (RetryLater, Permanent) as error:
            context.log.warning(f"No row counts: {error}")
            found = _nothing
        yield lambda name: {**found(nodes().assets[name]), **lineage.metadata(name)}


def _nothing(_: object) -> Mapping[str, Any]:
    return {}
