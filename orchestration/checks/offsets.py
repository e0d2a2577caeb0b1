"""The audit as a check: each offset that Kafka gave out is in exactly one raw table, once."""

from collections.abc import Iterator

import dagster as dg

from audit.audit import audit
from audit.broker import KafkaBroker
from audit.render import sentences
from audit.report import Report
from audit.standing import kafka_standing
from contracts.settings import load_settings
from contracts.topics import is_pattern, matching
from orchestration.checks.catalogue import OFFSETS
from orchestration.checks.check_info import asset_check
from orchestration.checks.explain import Evidence, markdown_table, verdict
from orchestration.checks.neighbours import KAFKA_SECONDS, asking_kafka, not_judged, reading
from orchestration.resources.clickhouse import ClickHouse

_COLUMNS = ("partition", "events:", "dead letters:", "lost:", "more than once:", "unproven:", "lag:", "verdict")


@asset_check(OFFSETS)
def offsets_all_landed(clickhouse: ClickHouse) -> dg.AssetCheckResult:
    """Audit the settings' topics."""
    settings = load_settings()
    with asking_kafka(settings) as quick, reading(clickhouse) as client:
        topics = list(settings.topics)
        if any(map(is_pattern, topics)):
            topics = matching(topics, kafka_standing(quick, KAFKA_SECONDS).ends)
        with KafkaBroker(quick) as broker:
            report = audit(client, topics, broker)
    if report.kafka != "asked":
        raise not_judged(f"Kafka at {settings.kafka_broker_url}", report.kafka)
    return offsets_verdict(report)


def offsets_verdict(report: Report) -> dg.AssetCheckResult:
    """Return the check's result; what is unproven passes and is said."""
    rows = [
        (
            f"{one.topic}:{one.partition}",
            one.events,
            one.letters,
            one.lost,
            one.surplus,
            one.gone.total + one.unchecked.total + one.unexamined,
            "?" if one.lag is None else one.lag,
            one.verdict,
        )
        for one in sorted(report.partitions, key=lambda one: (one.verdict == "complete", one.topic, one.partition))
    ]
    broken = [f"{one.topic}:{one.partition}" for one in report.partitions if one.verdict == "broken"]
    evidence = Evidence(
        window=f"all offsets up to {report.at:%Y-%m-%d %H:%M:%S} UTC",
        detector="audit: sums of offsets against those of a range without gaps, doubts taken to Kafka",
        observed=float(report.lost + report.surplus),
        expected=0.0,
        sample_size=sum(one.expected for one in report.partitions),
        table=markdown_table(_COLUMNS, rows),
        items=tuple(broken),
        more={
            "lost": report.lost,
            "doubled": report.surplus,
            **({} if report.lag is None else {"lag": report.lag}),
            "verdict": report.verdict,
            "seconds": round(report.seconds, 3),
        },
    )
    passed = report.verdict != "broken"
    return verdict(OFFSETS, passed=passed, sentence=_sentence(report), evidence=evidence, error=True)


def _sentence(report: Report) -> str:
    if not report.partitions:
        return "Neither Kafka nor ClickHouse has a partition of these topics yet."
    total = sum(one.expected for one in report.partitions)
    if report.verdict == "complete":
        return f"{total:,} offsets, each there once; lag {report.lag or 0:,}."
    found = "; ".join(_first(sentences(report), 3))
    return f"lost {report.lost:,}, doubled {report.surplus:,} of {total:,} offsets: {found}"


def _first(lines: Iterator[str], count: int) -> list[str]:
    return [line for _, line in zip(range(count), lines, strict=False)]
