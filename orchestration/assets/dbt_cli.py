"""The same models run as dagster-dbt runs them: dbt in a new process, its events read from what it prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import dagster as dg
from dagster_dbt import DbtCliResource

from contracts.settings import load_settings
from orchestration.resources.dbt_project import export_settings, manifest, target_dir

NO_UNIT_TESTS: Final = ("--exclude-resource-type", "unit_test")


def command_for(names: Sequence[str], tests: Sequence[str]) -> str:
    """Return the dbt command that does these models and tests."""
    parsed = manifest()["nodes"]
    seeds = any(parsed[name]["resource_type"] != "model" for name in names)
    return "test" if not names else "build" if tests or seeds else "run"


def run_in_new_process(context: dg.AssetExecutionContext, dbt: DbtCliResource, command: str) -> Iterator[Any]:
    """Yield what dagster-dbt makes of a run of dbt's command line, with row counts, columns and column lineage.

    Raises:
        dagster_dbt.errors.DagsterDbtCliRuntimeError: a node failed; the description is dbt's.

    """
    export_settings(load_settings())
    # Cautious: a test that also looks at models which are not selected is not one of the selected checks.
    arguments = [command, *(NO_UNIT_TESTS if command != "run" else ()), "--indirect-selection", "cautious"]
    invocation = dbt.cli(arguments, context=context, target_path=target_dir())
    yield from invocation.stream().fetch_row_counts().fetch_column_metadata()
