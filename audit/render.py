"""An audit as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from audit.report import Offsets, PartitionAudit, Report

_COLUMNS = ("first", "mark", "events", "letters", "lost", "doubled", "in both", "not proven", "legal gaps", "lag")
_WORST_FIRST = {"broken": 0, "unproven": 1, "complete": 2}


def table(report: Report) -> Table:
    """Return a row for each partition."""
    made = Table("topic", "partition")
    for name in _COLUMNS:
        made.add_column(name, justify="right")
    made.add_column("verdict")
    for each in report.partitions:
        numbers = (each.first, each.mark, each.events, each.letters, each.lost, each.doubled.total)
        unsure = each.gone.total + each.unchecked.total + each.unexamined
        more = (each.in_both.total, unsure, each.legal.total, each.lag)
        made.add_row(each.topic, str(each.partition), *map(_number, (*numbers, *more)), each.verdict)
    return made


def sentences(report: Report) -> Iterator[str]:
    """Yield what is wrong or not known, partition by partition, then the totals."""
    for each in sorted(report.partitions, key=lambda one: _WORST_FIRST[one.verdict]):
        yield from _about(each)
    for topic in sorted({each.topic for each in report.partitions if each.end is None and report.kafka == "asked"}):
        yield f"{topic}: ClickHouse has rows of partitions that Kafka does not have"
    if report.kafka == "not asked":
        yield "Kafka was not asked: lag is not known, and whether gaps are legal was not checked"
    elif report.kafka != "asked":
        yield f"{report.kafka}; lag is not known, and whether gaps are legal was not checked"
    expected = sum(each.expected for each in report.partitions)
    archived = sum(each.archived for each in report.partitions)
    away = f", in the archive only {archived:,}" if archived else ""
    lag = "not known" if report.lag is None else f"{report.lag:,}"
    yield (
        f"{report.verdict}: {expected:,} offsets, lost {report.lost:,}, doubled {report.surplus:,}, "
        f"lag {lag}{away} ({report.seconds * 1000:,.0f} ms)"
    )


def _about(each: PartitionAudit) -> Iterator[str]:
    found: tuple[tuple[Offsets, str], ...] = (
        (each.missing, "missing: in neither table although Kafka has them"),
        (each.not_read, "not read" + ("" if each.starts_late else ": Kafka has them and reading began later")),
        (each.doubled, "more than once in one table"),
        (each.in_both, "in raw.events and in raw.dead_letters"),
        (each.gone, "in neither table, and gone from Kafka before anyone could check"),
        (each.unchecked, "in neither table; whether that is a legal gap was not checked"),
    )
    for offsets, words in found:
        if offsets:
            ranges = ", ".join(map(str, offsets.ranges))
            more = f", … ({offsets.range_count} ranges)" if offsets.range_count > len(offsets.ranges) else ""
            yield f"{each.topic}:{each.partition}: {offsets.total:,} {words}: {ranges}{more}"
    if each.unexamined:
        yield (
            f"{each.topic}:{each.partition}: {each.unexamined:,} offsets lie in parts too many to look into this time, "
            "or among days that are in the archive only (`millrace restore` brings one back)"
        )
    if each.beyond_end:
        yield (
            f"{each.topic}:{each.partition}: {each.beyond_end:,} offsets lie above the topic's end at {each.end}: "
            "it was deleted and created anew"
        )


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
