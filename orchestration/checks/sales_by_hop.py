"""The same sales counted at every hop: raw, staging, the models between, and the marts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.names import MODEL_WATERMARKS, RAW_EVENTS
from orchestration.checks.catalogue import SALES_BY_HOP
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.neighbours import reading
from orchestration.resources.clickhouse import ClickHouse

_REVENUE: Final = "sum(toDecimal128(ifNull(price, 0), 6) * ifNull(quantity, 1))"
_WHEN: Final = "event_time >= {hour:DateTime('UTC')} AND event_time < {hour:DateTime('UTC')} + INTERVAL 1 HOUR"
# Raw is sorted by event type, so that this reads purchases only; events land after they happen, give or take a clock.
_SOLD: Final = (
    f"event_type = 'purchase' AND item_id != '' AND {_WHEN} AND ingested_at >= {{since:DateTime64(3, 'UTC')}}"
)
_ONCE: Final = "LIMIT 1 BY event_id, user_id, event_time"
# What the last finished run saw: the least that the marts must hold. It is read before them.
_FOLDED: Final = f"""
SELECT count(), {_REVENUE} FROM
(
    SELECT price, quantity FROM {RAW_EVENTS} AS raw
    INNER JOIN (SELECT kafka_topic, kafka_partition, kafka_offset AS mark FROM {MODEL_WATERMARKS} FINAL
        WHERE model = 'int_item_hourly') AS done
    ON raw.kafka_topic = done.kafka_topic AND raw.kafka_partition = done.kafka_partition
    WHERE {_SOLD} AND raw.kafka_offset <= done.mark
    {_ONCE}
)
"""  # noqa: S608 - constant names
# What has landed by now: the most that they can hold. It is read after them.
_LANDED: Final = f"SELECT count(), {_REVENUE} FROM (SELECT price, quantity FROM {RAW_EVENTS} WHERE {_SOLD} {_ONCE})"  # noqa: S608 - as above
_STAGED: Final = f"SELECT count(), sum(revenue) FROM (SELECT revenue FROM staging.stg_events WHERE {_SOLD} {_ONCE})"  # noqa: S608 - as above
_MODELS: Final = {
    "intermediate.int_item_events": (
        "SELECT count(), sum(revenue) FROM intermediate.int_item_events FINAL "
        "WHERE event_type = 'purchase' AND event_hour = {hour:DateTime('UTC')}"
    ),
    "marts.fct_item_hourly": (
        "SELECT sum(purchases), sum(revenue) FROM marts.fct_item_hourly WHERE event_hour = {hour:DateTime('UTC')}"
    ),
}


@dataclass(frozen=True)
class Hop:
    """Sales of one hour at one hop."""

    name: str
    purchases: int
    revenue: Decimal


@dataclass(frozen=True)
class Reckoning:
    """Sales of one hour at each hop, and what they must lie between: what was folded in, and what has landed."""

    hour: datetime
    folded: Hop
    hops: tuple[Hop, ...]
    landed: Hop

    @property
    def wrong(self) -> tuple[Hop, ...]:
        """The hops that hold less than was folded in or more than has landed."""
        low, high = self.folded, self.landed
        return tuple(
            hop
            for hop in self.hops
            if not (low.purchases <= hop.purchases <= high.purchases and low.revenue <= hop.revenue <= high.revenue)
        )


@asset_check(SALES_BY_HOP)
def marts_hold_what_landed(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Compare the sales of the last complete hour."""
    hour = SystemClock().now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    with reading(clickhouse) as client:
        return hops_verdict(reckon(client, hour))


def reckon(client: Client, hour: datetime) -> Reckoning:
    """Return the sales of the hour that begins at `hour` (UTC) at every hop."""
    parameters = {"hour": hour, "since": hour - timedelta(hours=1)}

    def ask(name: str, query: str) -> Hop:
        ((purchases, revenue),) = client.query(query, parameters=parameters).result_rows
        return Hop(name, int(purchases), Decimal(revenue or 0))

    folded = ask("folded in by the last run", _FOLDED)
    # Staging is a view on raw: it holds at once what lands while this is asked, as raw does.
    models = [ask(name, query) for name, query in _MODELS.items()]
    return Reckoning(hour, folded, (ask("staging.stg_events", _STAGED), *models), ask("raw.events", _LANDED))


def hops_verdict(found: Reckoning) -> dg.AssetCheckResult:
    """Return the check's result."""
    rows = [
        (hop.name, hop.purchases, f"{hop.revenue:,.2f}", "wrong" if hop in found.wrong else "")
        for hop in (found.landed, *found.hops, found.folded)
    ]
    worst = found.wrong[-1] if found.wrong else found.hops[-1]
    evidence = Evidence(
        window=f"sales in the hour of {found.hour:%Y-%m-%d %H:%M} UTC",
        detector="no hop holds less than the last run folded in, or more than has landed, each event once",
        observed=float(worst.purchases),
        expected=float(found.folded.purchases),
        sample_size=found.landed.purchases,
        table=markdown_table(("hop", "purchases:", "revenue:", ""), rows),
        items=tuple(hop.name for hop in found.wrong),
    )
    if found.wrong:
        sentence = (
            f"{worst.name} holds {worst.purchases:,} purchases ({worst.revenue:,.2f}) of the hour of "
            f"{found.hour:%Y-%m-%d %H:%M} UTC, raw {found.landed.purchases:,} ({found.landed.revenue:,.2f})."
        )
    else:
        sentence = f"{found.landed.purchases:,} purchases of the hour are the same at every hop."
    return verdict(SALES_BY_HOP, passed=not found.wrong, sentence=sentence, evidence=evidence, error=True)
