"""How far each hop is behind the one before it: Kafka, raw, marts; event time and landing time apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from audit.standing import Standing, kafka_standing, overdue
from contracts.clock import SystemClock
from contracts.names import MODEL_WATERMARKS, RAW_EVENTS
from contracts.settings import Settings, load_settings
from orchestration.alerts.notice import duration
from orchestration.checks.catalogue import KAFKA_FRESH, MARTS_FRESH, RAW_FRESH
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.neighbours import KAFKA_SECONDS, asking_kafka, reading
from orchestration.observed import Landed, landed
from orchestration.resources.clickhouse import ClickHouse

# Rows that landed longer ago and are in no mart: the marts have been broken for a week, and that was said before.
_LOOK_BACK: Final = timedelta(days=7)
# Rows that each model has not folded in although they landed long ago; the ledger by minute answers it.
_BEHIND: Final = f"""
SELECT model, sum(greatest(0, toInt64(landed.newest) - toInt64(done.kafka_offset))) AS rows, max(updated_at)
FROM (SELECT * FROM {MODEL_WATERMARKS} FINAL) AS done
LEFT JOIN
(
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest FROM {RAW_EVENTS}
    WHERE toStartOfMinute(ingested_at) BETWEEN {{since:DateTime('UTC')}} AND {{until:DateTime('UTC')}}
    GROUP BY kafka_topic, kafka_partition
) AS landed
ON landed.kafka_topic = done.kafka_topic AND landed.kafka_partition = done.kafka_partition
GROUP BY model ORDER BY rows DESC, model
"""  # noqa: S608 - constant names
_NEWEST_IN_MARTS: Final = """
SELECT maxOrNull(last_event_at) FROM marts.fct_item_hourly WHERE event_hour >= {since:DateTime('UTC')}
"""
_COLUMNS: Final = ("hop", "newest landed (UTC)", "age", "newest event (UTC)", "age")


@dataclass(frozen=True)
class Models:
    """What the models have folded in.

    Args:
        behind: rows by model that landed longer ago than allowed and are not folded in.
        built_at: when a model was last built; None before the first time.
        newest_event: the newest event time of today's item sales; None when there is none.

    """

    behind: Mapping[str, int]
    built_at: datetime | None
    newest_event: datetime | None


@asset_check(KAFKA_FRESH)
def kafka_is_fresh(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Judge the age of the newest message."""
    settings, now = load_settings(), SystemClock().now()
    with asking_kafka(settings) as quick:
        kafka = kafka_standing(quick, KAFKA_SECONDS)
    with reading(clickhouse) as client:
        raw = landed(client)
    return silence_verdict(kafka, raw, now, settings)


@asset_check(RAW_FRESH)
def raw_is_fresh(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Count the messages that should have landed."""
    settings, now = load_settings(), SystemClock().now()
    with reading(clickhouse) as client:
        raw = landed(client)
    before = now - timedelta(seconds=settings.alert_raw_delay_seconds)
    with asking_kafka(settings) as quick:
        waiting = overdue(quick, raw.ends, before, KAFKA_SECONDS)
    return raw_verdict(waiting, raw, now, settings)


@asset_check(MARTS_FRESH)
def marts_are_fresh(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Count the landed rows that should be in the marts."""
    settings, now = load_settings(), SystemClock().now()
    with reading(clickhouse) as client:
        models, raw = read_models(client, now, settings.alert_marts_delay_seconds), landed(client)
    return marts_verdict(models, raw, now, settings)


def read_models(client: Client, now: datetime, seconds: float) -> Models:
    """Return what the models have folded in of what landed more than `seconds` ago."""
    times = {"since": now - _LOOK_BACK, "until": now - timedelta(seconds=seconds + 60)}
    rows = client.query(_BEHIND, parameters=times, tz_mode="aware").result_rows
    today = {"since": now - timedelta(hours=24)}
    ((newest,),) = client.query(_NEWEST_IN_MARTS, parameters=today, tz_mode="aware").result_rows
    return Models(
        {str(model): int(behind) for model, behind, _ in rows}, max((row[2] for row in rows), default=None), newest
    )


def silence_verdict(kafka: Standing, raw: Landed, now: datetime, settings: Settings) -> dg.AssetCheckResult:
    """Return whether messages keep coming; a broker that does not tell is judged by what landed."""
    newest = max(kafka.newest.values(), default=raw.events_at)
    limit = settings.alert_silence_seconds
    age = (now - newest).total_seconds() if newest is not None else None
    failed = age is not None and age > limit
    sentence = "There is no message yet." if age is None else f"The newest message is {duration(max(age, 0))} old."
    rows = [_hop("kafka", newest, None, now), _hop("raw", raw.events_at, raw.newest_event, now)]
    evidence = _evidence(rows, age, limit, now, f"no new message for {duration(limit)}")
    return verdict(KAFKA_FRESH, passed=not failed, sentence=sentence, evidence=evidence, error=False)


def raw_verdict(
    waiting: Mapping[tuple[str, int], int], raw: Landed, now: datetime, settings: Settings
) -> dg.AssetCheckResult:
    """Return whether everything lands in time."""
    limit, late = settings.alert_raw_delay_seconds, sum(waiting.values())
    rows = [_hop("raw", raw.events_at, raw.newest_event, now), _hop("dead letters", raw.letters_at, None, now)]
    places = [(f"{topic}:{number}", count) for (topic, number), count in sorted(waiting.items())]
    table = markdown_table(("partition", "messages waiting:"), places) if places else ""
    evidence = _evidence(rows, float(late), 0.0, now, f"a message that has waited for more than {duration(limit)}")
    evidence = _with_table(evidence, table, tuple(place for place, _ in places))
    sentence = (
        f"{late:,} messages in {len(places)} partitions have waited in Kafka for more than {duration(limit)}."
        if late
        else f"Every message that is {duration(limit)} old has landed."
    )
    return verdict(RAW_FRESH, passed=not late, sentence=sentence, evidence=evidence, error=True)


def marts_verdict(models: Models, raw: Landed, now: datetime, settings: Settings) -> dg.AssetCheckResult:
    """Return whether every model follows raw."""
    limit = settings.alert_marts_delay_seconds
    behind = {model: rows for model, rows in models.behind.items() if rows > 0}
    rows = [_hop("raw", raw.events_at, raw.newest_event, now), _hop("marts", models.built_at, models.newest_event, now)]
    table = markdown_table(("model", "rows behind:"), list(behind.items())) if behind else ""
    most = max(behind.values(), default=0)
    evidence = _evidence(rows, float(most), 0.0, now, f"a row that landed more than {duration(limit)} ago in no mart")
    evidence = _with_table(evidence, table, tuple(behind))
    if not models.behind:
        sentence = "The marts have not been built yet."
    elif behind:
        worst = max(behind, key=lambda model: behind[model])
        sentence = f"{worst} has not folded in {most:,} rows that landed more than {duration(limit)} ago."
    else:
        sentence = f"Every row that landed {duration(limit)} ago is in the marts."
    return verdict(MARTS_FRESH, passed=not behind, sentence=sentence, evidence=evidence, error=True)


def _hop(name: str, at: datetime | None, event: datetime | None, now: datetime) -> tuple[str, str, str, str, str]:
    return (name, *_moment(at, now), *_moment(event, now))


def _moment(at: datetime | None, now: datetime) -> tuple[str, str]:
    if at is None:
        return "-", "-"
    seconds = (now - at).total_seconds()
    return f"{at:%Y-%m-%d %H:%M:%S}", duration(seconds) if seconds >= 0 else f"{duration(-seconds)} ahead"


def _evidence(rows: list[Any], observed: float | None, limit: float, now: datetime, rule: str) -> Evidence:
    return Evidence(
        window=f"at {now:%Y-%m-%d %H:%M:%S} UTC",
        detector=rule,
        observed=observed,
        expected=limit,
        sample_size=len(rows),
        more={"hops": dg.MetadataValue.md(markdown_table(_COLUMNS, rows))},
    )


def _with_table(evidence: Evidence, table: str, items: tuple[str, ...]) -> Evidence:
    return Evidence(**{**vars(evidence), "table": table, "items": items})
