"""What dbt did with a node, in Dagster's terms: the metadata that dagster-dbt gives, and some words more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import dagster as dg

from orchestration.resources.dbt import NodeResult

_SQL_CHARACTERS: Final = 8_000


def model_metadata(result: NodeResult) -> dict[str, Any]:
    """Return what dagster-dbt says of a model that is built, and dbt's own words."""
    return {**_common(result), "dbt_message": result.message}


def _common(result: NodeResult) -> dict[str, Any]:
    return {
        "Execution Duration": round(result.seconds, 3),
        "unique_id": result.unique_id,
        "invocation_id": result.invocation_id,
        "status": result.status,
    }


def check_result(key: dg.AssetCheckKey, result: NodeResult) -> dg.AssetCheckResult:
    """Return the check's result of a dbt test."""
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.status == "pass",
        severity=dg.AssetCheckSeverity.WARN if result.status == "warn" else dg.AssetCheckSeverity.ERROR,
        description=result.message or None,
        metadata={
            "failed_rows": result.failures or 0,
            **_common(result),
            **({} if result.failures is None else {"dagster_dbt/failed_row_count": result.failures}),
            "sql": dg.MetadataValue.md(_fenced(result.sql)),
        },
    )


def raise_failures(command: str, results: Iterable[NodeResult]) -> None:
    """Fail the step when a model failed, or when a test could not be run at all."""
    failed = [result for result in results if result.status == "error"]
    if not failed:
        return
    reasons = "\n".join(f"{result.unique_id}: {result.message.strip()}" for result in failed)
    raise dg.Failure(
        description=f"dbt {command}: {len(failed)} of {len(list(results))} failed\n{reasons}",
        metadata={result.unique_id: dg.MetadataValue.md(_fenced(result.sql)) for result in failed},
        allow_retries=False,
    )


def _fenced(sql: str) -> str:
    shown = sql.strip()[:_SQL_CHARACTERS] or "-- dbt could not compile it"
    return f"```sql\n{shown}\n```"
