"""The share of messages that are no events: more of them than usual means that a client has changed."""

from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg
import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS
from contracts.settings import Settings, load_settings
from orchestration.checks.catalogue import DEAD_LETTERS
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Chart, Evidence, markdown_table, verdict
from orchestration.checks.neighbours import reading
from orchestration.resources.clickhouse import ClickHouse

WINDOW: Final = timedelta(minutes=10)
# A handful among a few messages is no share to speak of.
LEAST: Final = 10

_MINUTES: Final = f"""
SELECT minute, sum(events), sum(letters) FROM
(
    SELECT toStartOfMinute(ingested_at) AS minute, count() AS events, 0 AS letters
    FROM {RAW_EVENTS} WHERE ingested_at >= {{since:DateTime64(3, 'UTC')}} GROUP BY minute
    UNION ALL
    SELECT toStartOfMinute(ingested_at) AS minute, 0, count()
    FROM {RAW_DEAD_LETTERS} WHERE ingested_at >= {{since:DateTime64(3, 'UTC')}} GROUP BY minute
)
GROUP BY minute ORDER BY minute
"""  # noqa: S608 - constant names
_REASONS: Final = f"""
SELECT error_class, count() AS letters, any(error_text), any(kafka_topic)
FROM {RAW_DEAD_LETTERS} WHERE ingested_at >= {{since:DateTime64(3, 'UTC')}}
GROUP BY error_class ORDER BY letters DESC LIMIT 20
"""  # noqa: S608 - constant names


@asset_check(DEAD_LETTERS)
def dead_letter_share(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge what landed in the last ten minutes."""
    now = SystemClock().now()
    with reading(clickhouse) as client:
        minutes, reasons = read_letters(client, now - WINDOW)
    return letters_verdict(minutes, reasons, now, load_settings())


def read_letters(client: Client, since: datetime) -> tuple[pl.DataFrame, list[tuple[Any, ...]]]:
    """Return events and letters by minute of landing, and the letters by reason."""
    minutes = client.query(_MINUTES, parameters={"since": since}, tz_mode="aware").result_rows
    schema: dict[str, Any] = {"minute": pl.Datetime("us", "UTC"), "events": pl.Int64, "letters": pl.Int64}
    frame = pl.DataFrame([tuple(row) for row in minutes], schema=schema, orient="row")
    return frame, [tuple(row) for row in client.query(_REASONS, parameters={"since": since}).result_rows]


def letters_verdict(
    minutes: pl.DataFrame, reasons: list[tuple[Any, ...]], now: datetime, settings: Settings
) -> dg.AssetCheckResult:
    """Return the check's result."""
    letters, events = int(minutes["letters"].sum()), int(minutes["events"].sum())
    total, limit = letters + events, settings.alert_dead_letter_share
    share = letters / total if total else 0.0
    failed = letters >= LEAST and share > limit
    shares = (minutes["letters"] / (minutes["letters"] + minutes["events"])).to_list()
    evidence = Evidence(
        window=f"landed from {now - WINDOW:%Y-%m-%d %H:%M} to {now:%H:%M} UTC",
        detector=f"more than {limit:.2%} of the messages, at least {LEAST}",
        observed=share,
        expected=limit,
        sample_size=total,
        table=markdown_table(("reason", "dead letters:", "an example", "topic"), reasons) if reasons else "",
        items=tuple(str(reason[0]) for reason in reasons) if failed else (),
        chart=Chart(
            [minute.isoformat() for minute in minutes["minute"].to_list()],
            shares,
            [None] * len(shares),
            [limit] * len(shares),
        ),
    )
    sentence = f"{letters:,} of {total:,} messages of the last ten minutes were no events ({share:.2%})"
    worst = f", most of them {reasons[0][0]}: {reasons[0][2]}" if failed and reasons else ""
    return verdict(DEAD_LETTERS, passed=not failed, sentence=f"{sentence}{worst}.", evidence=evidence, error=True)
