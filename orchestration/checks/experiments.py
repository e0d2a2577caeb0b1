"""Whether experiments are sound, and which are decided: from the newest look at each."""

from collections.abc import Sequence
from typing import Any, Final

import dagster as dg
import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.names import EXPERIMENT_RESULTS
from orchestration.checks.catalogue import GUARDRAILS, MIXED_USERS, RESULTS_READY, SAMPLE_RATIO
from orchestration.checks.check_info import CheckInfo, asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.neighbours import reading
from orchestration.experiments.sample_ratio import MINIMUM_USERS
from orchestration.experiments.settings import ExperimentSettings, Settings
from orchestration.experiments.settings import load_settings as load_experiments
from orchestration.resources.clickhouse import ClickHouse

_SCHEMA: Final[dict[str, Any]] = {
    "experiment_name": pl.String,
    "experiment_variation": pl.String,
    "metric": pl.String,
    "is_primary": pl.Boolean,
    "users": pl.Int64,
    "planned_shares": pl.String,
    "srm_flagged": pl.Boolean,
    "srm_anytime_p": pl.Float64,
    "srm_segments": pl.List(pl.String),
    "mixed_users": pl.Int64,
    "mixed_share": pl.Float64,
    "guardrail_crossed": pl.Boolean,
    "lift": pl.Float64,
    "verdict": pl.String,
    "reason": pl.String,
    "computed_at": pl.Datetime("us", "UTC"),
}
_NEWEST: Final = f"""
SELECT {", ".join(_SCHEMA)} FROM {EXPERIMENT_RESULTS}
WHERE (experiment_name, computed_at) IN
    (SELECT experiment_name, max(computed_at) FROM {EXPERIMENT_RESULTS} GROUP BY experiment_name)
ORDER BY experiment_name, experiment_variation, metric
"""  # noqa: S608 - names of ours


@asset_check(SAMPLE_RATIO)
def experiment_sample_ratio(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge whether the users are spread as planned."""
    with reading(clickhouse) as client:
        return sample_ratio_verdict(newest_looks(client))


@asset_check(MIXED_USERS)
def experiment_mixed_users(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge how many users saw two variations."""
    with reading(clickhouse) as client:
        return mixed_verdict(newest_looks(client), load_experiments())


@asset_check(GUARDRAILS)
def experiment_guardrails(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge whether a variation surely loses more than a guardrail allows."""
    with reading(clickhouse) as client:
        return guardrails_verdict(newest_looks(client))


@asset_check(RESULTS_READY)
def experiment_results_ready(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Tell which variations are decided."""
    with reading(clickhouse) as client:
        return ready_verdict(newest_looks(client))


def newest_looks(client: Client) -> pl.DataFrame:
    """Return the newest look at each experiment, a row a variation and metric."""
    rows = client.query(_NEWEST, tz_mode="aware").result_rows
    return pl.DataFrame([tuple(row) for row in rows], schema=_SCHEMA, orient="row")


def sample_ratio_verdict(looks: pl.DataFrame) -> dg.AssetCheckResult:
    """Return the result: an experiment with a mismatch says nothing at all, so this is an error."""
    rows = looks.filter(pl.col("is_primary") & pl.col("srm_flagged")).sort("experiment_name", "experiment_variation")
    table = markdown_table(
        ("experiment", "variation", "users:", "planned", "p:", "off in"),
        [
            (one["experiment_name"], one["experiment_variation"], one["users"], one["planned_shares"],
             f"{one['srm_anytime_p']:.1e}" if one["srm_anytime_p"] is not None else "-",
             ", ".join(one["srm_segments"] or [])[:200])
            for one in rows.iter_rows(named=True)
        ],
    )  # fmt: skip
    return _result(SAMPLE_RATIO, looks, rows, table, "Users are spread over the variations as planned.", error=True)


def mixed_verdict(looks: pl.DataFrame, settings: Settings) -> dg.AssetCheckResult:
    """Return the result for the experiments in which too many users saw two variations."""
    total = (
        looks.filter("is_primary")
        .group_by("experiment_name")
        .agg(pl.sum("users"), pl.max("mixed_users", "mixed_share"))
    )
    limits = [settings.get(name, ExperimentSettings()).most_mixed for name in total["experiment_name"]]
    rows = total.with_columns(most=pl.Series(limits, dtype=pl.Float64)).filter(
        (pl.col("users") + pl.col("mixed_users") >= MINIMUM_USERS) & (pl.col("mixed_share") > pl.col("most"))
    )
    table = markdown_table(
        ("experiment", "users in two variations:", "share:", "accepted:"),
        [
            (name, mixed, f"{share:.2%}", f"{most:.2%}")
            for name, _, mixed, share, most in rows.sort("experiment_name").rows()
        ],
    )
    calm = "Hardly any user saw two variations of an experiment."
    return _result(MIXED_USERS, looks, rows, table, calm, error=True)


def guardrails_verdict(looks: pl.DataFrame) -> dg.AssetCheckResult:
    """Return the result for the variations that surely harm."""
    rows = looks.filter(pl.col("guardrail_crossed").fill_null(value=False))
    table = markdown_table(
        ("experiment", "variation", "guardrail", "change:"),
        [
            (one["experiment_name"], one["experiment_variation"], one["metric"], _percent(one["lift"]))
            for one in rows.iter_rows(named=True)
        ],
    )
    return _result(GUARDRAILS, looks, rows, table, "No variation crosses a guardrail.", error=False)


def ready_verdict(looks: pl.DataFrame) -> dg.AssetCheckResult:
    """Return the result for the variations that somebody may decide about now."""
    rows = looks.filter(pl.col("is_primary") & pl.col("verdict").is_in(["ship", "stop"]))
    table = markdown_table(
        ("experiment", "variation", "verdict", "why"),
        [
            (one["experiment_name"], one["experiment_variation"], one["verdict"], one["reason"])
            for one in rows.iter_rows(named=True)
        ],
    )
    return _result(RESULTS_READY, looks, rows, table, "No experiment waits for a decision.", error=False)


def _result(
    info: CheckInfo, looks: pl.DataFrame, rows: pl.DataFrame, table: str, calm: str, *, error: bool
) -> dg.AssetCheckResult:
    names: Sequence[str] = sorted(set(rows["experiment_name"].to_list()))
    latest = f"{looks['computed_at'].sort()[-1]:%Y-%m-%d %H:%M:%S}" if len(looks) else ""
    evidence = Evidence(
        window=f"the look of {latest} UTC" if latest else "no look yet",
        detector="always-valid tests, see docs/experiments.md",
        observed=float(len(names)),
        expected=0.0,
        sample_size=int(looks.filter("is_primary")["users"].sum() or 0),
        table=table if len(rows) else "",
        items=tuple(names),
        more={"experiments": looks["experiment_name"].n_unique()},
    )
    reasons = rows["reason"].drop_nulls().to_list() if "reason" in rows.columns else []
    why = f" {reasons[0]}" if reasons else ""
    found = f"{', '.join(names)}: {len(rows)} found.{why}"
    return verdict(info, passed=not names, sentence=found if names else calm, evidence=evidence, error=error)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"
