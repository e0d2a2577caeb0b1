"""Events that clients sent more than once: kept in raw, counted once in the marts, and a sign when there are many."""

from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from contracts.clock import SystemClock
from contracts.names import RAW_EVENTS
from contracts.settings import Settings, load_settings
from orchestration.checks.catalogue import REPEATS
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.neighbours import reading
from orchestration.resources.clickhouse import ClickHouse

WINDOW: Final = timedelta(minutes=5)
LEAST: Final = 20
Row = tuple[str, int, int]

_QUERY: Final = f"""
SELECT event_type, count() AS rows, count() - uniqExact(event_id) AS repeats
FROM {RAW_EVENTS} WHERE ingested_at >= {{since:DateTime64(3, 'UTC')}}
GROUP BY event_type ORDER BY repeats DESC, rows DESC
"""  # noqa: S608 - constant name


@asset_check(REPEATS)
def repeated_events(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Count repeats among what landed in the last five minutes."""
    now = SystemClock().now()
    with reading(clickhouse) as client:
        rows = client.query(_QUERY, parameters={"since": now - WINDOW}).result_rows
    found = [(str(kind), int(total), int(repeats)) for kind, total, repeats in rows]
    return repeats_verdict(found, now, load_settings())


def repeats_verdict(rows: list[Row], now: datetime, settings: Settings) -> dg.AssetCheckResult:
    """Return the check's result for event types with their rows and repeats."""
    total, repeats = sum(row[1] for row in rows), sum(row[2] for row in rows)
    share, limit = repeats / total if total else 0.0, settings.alert_repeat_share
    failed = repeats >= LEAST and share > limit
    shown = [(kind, count, again, f"{again / count:.2%}") for kind, count, again in rows if again]
    evidence = Evidence(
        window=f"landed from {now - WINDOW:%Y-%m-%d %H:%M} to {now:%H:%M} UTC",
        detector=f"more than {limit:.2%} of the events are repeats of an event_id, at least {LEAST}",
        observed=share,
        expected=limit,
        sample_size=total,
        table=markdown_table(("event type", "events:", "repeats:", "share:"), shown) if shown else "",
        items=tuple(row[0] for row in shown) if failed else (),
    )
    sentence = f"{repeats:,} of {total:,} events of the last five minutes repeat another one ({share:.2%})."
    return verdict(REPEATS, passed=not failed, sentence=sentence, evidence=evidence, error=False)
