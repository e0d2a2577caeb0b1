"""The item-sales check the other way round: an item that sells far less than its share of all sales explains."""

from datetime import timedelta
from typing import Final

import dagster as dg
import numpy as np

from contracts.clock import SystemClock
from contracts.settings import Settings, load_settings
from orchestration.checks.catalogue import ITEM_DROPS, KAFKA_FRESH
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, verdict
from orchestration.checks.item_sales import HourOfSales, items_table, offending, read_hour, rule_of
from orchestration.checks.item_sales_baseline import learn
from orchestration.checks.item_sales_statistics import Judged, Rule, dropped, remarkable
from orchestration.checks.neighbours import reading
from orchestration.checks.upstream import UPSTREAM, held_back_by
from orchestration.resources.clickhouse import ClickHouse

# Silence in Kafka explains a drop as well.
_UPSTREAM: Final = (*UPSTREAM, KAFKA_FRESH)


@asset_check(ITEM_DROPS)
def item_sales_drops(context: dg.AssetCheckExecutionContext, clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the last complete hour."""
    now = SystemClock().now()
    hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    with reading(clickhouse) as client:
        read = read_hour(client, hour, running=False)
    return drops_verdict(read, load_settings(), held_back_by(context.instance, now, _UPSTREAM))


def judge_drops(read: HourOfSales, settings: Settings) -> Judged:
    """Return which items sold remarkably less; those that sold more say nothing about the level of the hour."""
    baseline = learn(read.sales)
    spiking = remarkable(read.counts, baseline, rule_of(settings), running=False).hit
    rule = Rule(settings.alert_drop_ratio, settings.alert_sales_min, settings.alert_false_share)
    return dropped(read.counts, baseline, rule, spiking)


def drops_verdict(read: HourOfSales, settings: Settings, upstream: str = "") -> dg.AssetCheckResult:
    """Return the check's result, the largest drop first; it is held back while something `upstream` explains it."""
    judged = judge_drops(read, settings)
    found = offending(read, judged).sort("ratio", "item_id")
    worst = found.row(0, named=True) if len(found) else None
    evidence = Evidence(
        window=f"{read.hour:%Y-%m-%d %H:%M} UTC, the last complete hour",
        detector=(
            "negative binomial tail against the item's share in history, Benjamini-Hochberg across items "
            f"({100 * settings.alert_false_share:g} %), at most {settings.alert_drop_ratio:g} x expected, where at "
            f"least {settings.alert_sales_min} were expected"
        ),
        observed=worst["sales"] if worst else None,
        expected=worst["expected"] if worst else None,
        sample_size=int(np.sum(read.counts)),
        table=items_table(found) if worst else "",
        items=tuple(found["item_id"]),
        held_back=upstream if worst else "",
    )
    rest = f" and {len(found) - 1} more" if len(found) > 1 else ""
    sentence = (
        f"Item {worst['item_id']} sold {worst['sales']:.0f} in the hour of {worst['hour']} UTC, expected "
        f"{worst['expected']:.1f} ({worst['ratio']:.2f}x){rest}."
        if worst
        else "No item sells less than chance explains."
    )
    return verdict(ITEM_DROPS, passed=not worst or bool(upstream), sentence=sentence, evidence=evidence, error=False)
