"""Experiment results as an asset: read the sums from the marts, judge them, keep every look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import dagster as dg
import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.names import EXPERIMENT_RESULTS
from orchestration.assets.freshness import ANALYSED
from orchestration.experiments.columns import RESULT_SCHEMA
from orchestration.experiments.results import STATS_COLUMNS, experiment_results
from orchestration.experiments.settings import load_settings as load_experiments
from orchestration.resources.clickhouse import ClickHouse

_STATS: Final = f"SELECT {', '.join(STATS_COLUMNS)} FROM marts.fct_experiment"  # noqa: S608 - names of ours
_EXPOSURE_COLUMNS: Final = (
    "experiment_name",
    "experiment_variation",
    "exposure_hour",
    "device_type",
    "country",
    "exposed_users",
)
_EXPOSURES: Final = f"SELECT {', '.join(_EXPOSURE_COLUMNS)} FROM marts.fct_experiment_exposure"  # noqa: S608 - as above
# The last look under each plan holds what all before it found: the smallest p, the largest evidence.
_EARLIER: Final = f"""
SELECT {", ".join(RESULT_SCHEMA)} FROM {EXPERIMENT_RESULTS}
ORDER BY computed_at DESC
LIMIT 1 BY experiment_name, experiment_variation, control_variation, metric, planned_count, planned_shares
"""  # noqa: S608 - names of ours


@dg.asset(
    key=EXPERIMENT_RESULTS.split("."),
    deps=[dg.AssetKey(["marts", "fct_experiment"]), dg.AssetKey(["marts", "fct_experiment_exposure"])],
    group_name="marts",
    kinds={"python", "clickhouse"},
    owners=["team:analytics"],
    description="Every look at every experiment: lift, intervals that may be looked at all day, sample ratio, verdict.",
    metadata={"dagster/table_name": EXPERIMENT_RESULTS},
    freshness_policy=ANALYSED,
)
def experiment_looks(clickhouse: ClickHouse) -> dg.MaterializeResult[Any]:
    """Judge each experiment as it stands and add the look to the table.

    Raises:
        RetryLater: ClickHouse cannot be reached.
        Permanent: it refuses, or experiments.yml has a mistake.

    """
    settings = load_experiments()
    with clickhouse.client() as client:
        results = experiment_results(
            _frame(client, _STATS, STATS_COLUMNS),
            _frame(client, _EXPOSURES, _EXPOSURE_COLUMNS),
            settings,
            _frame(client, _EARLIER, RESULT_SCHEMA),
        )
        _keep(client, results, SystemClock().now())
    return dg.MaterializeResult(metadata={"dagster/row_count": len(results), "verdicts": _verdicts(results)})


def _frame(client: Client, query: str, schema: Sequence[str] | dict[str, pl.DataType]) -> pl.DataFrame:
    rows = client.query(query, query_tz="UTC", tz_mode="aware").result_rows
    return pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)


def _keep(client: Client, results: pl.DataFrame, now: datetime) -> None:
    if not results.is_empty():
        names = [*results.columns, "computed_at"]
        client.insert(EXPERIMENT_RESULTS, [[*row, now] for row in results.rows()], column_names=names)


def _verdicts(results: pl.DataFrame) -> dg.MarkdownMetadataValue:
    primary = results.filter(pl.col("is_primary"))
    lines = ["| experiment | variation | verdict | why |", "|---|---|---|---|"]
    for name, variation, verdict, reason in primary.select(
        "experiment_name", "experiment_variation", "verdict", "reason"
    ).rows():
        lines.append(
            "| " + " | ".join(str(cell).replace("|", "\\|") for cell in (name, variation, verdict, reason)) + " |"
        )
    return dg.MetadataValue.md("\n".join(lines))
