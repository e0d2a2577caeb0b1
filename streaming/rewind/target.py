"""Where a rewind begins: a moment or an offset, turned into stretches of offsets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from confluent_kafka import TopicPartition

from contracts.errors import RetryLater, UserError
from contracts.settings import Settings
from contracts.topics import is_pattern, matching
from streaming.ingest.records import Partition
from streaming.kafka.topics import mapped_errors

_AGO: Final = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Target:
    """What the user asked for.

    Args:
        moment: read again what reached Kafka since then; None with `offset`.
        offset: read again from this offset of one partition; None with `moment`.
        topic: one of the settings' topics; None means all of them.
        partition: its number; None means all of them.
    """

    moment: datetime | None = None
    offset: int | None = None
    topic: str | None = None
    partition: int | None = None

    def check(self, settings: Settings) -> None:
        """Return when it can be meant.

        Raises:
            UserError: it cannot; the message says what is missing or too much.
        """
        if (self.moment is None) == (self.offset is None):
            raise UserError("say where to begin with either --to-time or --to-offset")
        if self.moment is not None and settings.kafka == "memory":
            raise UserError("--to-time: librdkafka's built-in broker finds no offset by its time; use --to-offset")
        if self.offset is not None and self.partition is None:
            raise UserError("--to-offset needs --partition: each partition counts its own offsets")
        is_one = len(settings.topics) == 1 and not is_pattern(settings.topics[0])
        if self.partition is not None and self.topic is None and not is_one:
            raise UserError(f"--partition needs --topic: KAFKA_TOPIC={settings.kafka_topic} may be several")
        if self.topic is not None and not matching(settings.topics, [self.topic]):
            raise UserError(f"--topic {self.topic}: KAFKA_TOPIC={settings.kafka_topic} does not hold it")


@dataclass(frozen=True)
class Stretch:
    """Offsets of one partition to read again: from `first` up to but without `end`.

    Args:
        partition: whose.
        first, end: empty when `first` is not below `end`.
        lost: offsets asked for that Kafka does not have any more.
    """

    partition: Partition
    first: int
    end: int
    lost: int = 0


def moment_of(text: str, now: datetime) -> datetime:
    """Return the moment in `text`: ISO 8601 with a zone, or how long ago as in 90s, 15m, 2h and 3d.

    Raises:
        UserError: it is neither, or lies in the future.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return now - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--to-time {text}: write 2026-03-01T10:00:00Z, or how long ago as in 15m, 2h or 3d") from None
    if moment.tzinfo is None:
        raise UserError(f"--to-time {text}: without a zone it could be any hour; add Z or +02:00")
    if moment > now:
        raise UserError(f"--to-time {text} lies in the future")
    return moment


def partitions_of(consumer: Any, settings: Settings, target: Target) -> list[Partition]:
    """Return the partitions that are meant, in order.

    Raises:
        UserError: there is no such topic or partition.
        RetryLater: the broker does not answer.
    """
    with mapped_errors("reading the topics"):
        known = consumer.list_topics(timeout=_SECONDS).topics
    topics = matching([target.topic] if target.topic else settings.topics, known)
    found = [Partition(topic, number) for topic in topics for number in sorted(known[topic].partitions)]
    meant = [place for place in found if target.partition in (None, place.number)]
    if not meant:
        number = "" if target.partition is None else f", partition {target.partition}"
        raise UserError(f"there is no topic {target.topic or settings.kafka_topic}{number}")
    return meant


def stretch_of(consumer: Any, target: Target, partition: Partition, end: int) -> Stretch:
    """Return what to read again of `partition` below `end`.

    Raises:
        RetryLater: the broker does not answer.
    """
    with mapped_errors(f"reading the offsets of {partition}"):
        low, high = _marks(consumer, partition)
        first = target.offset if target.offset is not None else _offset_at(consumer, partition, target.moment)
    wanted = high if first is None else first
    return Stretch(partition, max(low, wanted), min(end, high), lost=max(0, min(low, end) - wanted))


def total(stretches: Iterable[Stretch]) -> int:
    """Return the number of offsets in the stretches."""
    return sum(max(0, stretch.end - stretch.first) for stretch in stretches)


def _marks(consumer: Any, partition: Partition) -> tuple[int, int]:
    marks: tuple[int, int] | None = consumer.get_watermark_offsets(TopicPartition(*partition), _SECONDS)
    if marks is None:
        raise RetryLater(f"Kafka: the offsets of {partition} did not come in time")
    return marks


def _offset_at(consumer: Any, partition: Partition, moment: datetime | None) -> int | None:
    """Return the first offset that reached Kafka at `moment` or later; None when there is none."""
    assert moment is not None  # noqa: S101 - `check` made sure
    asked = TopicPartition(*partition, int(moment.timestamp() * 1000))
    offset = int(consumer.offsets_for_times([asked], timeout=_SECONDS)[0].offset)
    return offset if offset >= 0 else None
