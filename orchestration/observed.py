"""What an observation of a topic or of a raw table says, from what Kafka and ClickHouse answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from audit.standing import Standing, Worker
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS
from contracts.topics import matching

# Answered from the parts' headers and the ledger's projections; `newest_event` reads what landed last.
_ENDS: Final = f"""
SELECT kafka_topic, kafka_partition, max(newest)
FROM (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest FROM {RAW_EVENTS}
    GROUP BY kafka_topic, kafka_partition
    UNION ALL
    SELECT kafka_topic, kafka_partition, max(kafka_offset) FROM {RAW_DEAD_LETTERS}
    GROUP BY kafka_topic, kafka_partition
)
GROUP BY kafka_topic, kafka_partition
"""  # noqa: S608 - our own constants
_STAMPS: Final = "SELECT count(), max(ingested_at) FROM {table}"
_NEWEST_EVENT: Final = f"""
SELECT max(event_time) FROM {RAW_EVENTS} WHERE ingested_at > {{since:DateTime64(3, 'UTC')}} - INTERVAL 1 MINUTE
"""  # noqa: S608 - our own constant


@dataclass(frozen=True)
class Figures:
    """What is recorded about one asset.

    Args:
        total: events so far; two of them make a rate.
        unit: what `total` counts.
        metadata: everything but the rate.

    """

    total: int
    unit: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Landed:
    """What the raw tables hold.

    Args:
        ends: one past the highest landed offset, by topic and partition.
        events, letters: rows.
        events_at, letters_at: when the last of them landed; None for an empty table.
        newest_event: the latest event time of what landed in the last minute before that.

    """

    ends: Mapping[str, Mapping[int, int]]
    events: int
    letters: int
    events_at: datetime | None
    letters_at: datetime | None
    newest_event: datetime | None


def landed(client: Client) -> Landed:
    """Ask ClickHouse how far the raw tables are."""
    ends: dict[str, dict[int, int]] = {}
    for topic, partition, newest in client.query(_ENDS).result_rows:
        ends.setdefault(topic, {})[partition] = newest + 1
    events, events_at = _stamps(client, RAW_EVENTS)
    letters, letters_at = _stamps(client, RAW_DEAD_LETTERS)
    newest = None
    if events_at is not None:
        ((newest,),) = client.query(_NEWEST_EVENT, parameters={"since": events_at}, tz_mode="aware").result_rows
    return Landed(ends, events, letters, events_at, letters_at, newest)


def topic_figures(entries: Iterable[str], kafka: Standing | None, raw: Landed | None) -> dict[str, Figures]:
    """Return the figures of each entry of KAFKA_TOPIC: of a pattern, those of all topics it matches together."""
    if kafka is None:
        return {}
    found = {}
    for entry in entries:
        topics = matching([entry], kafka.ends)
        if topics:
            found[entry] = _topic(topics, kafka, raw)
    return found


def raw_figures(raw: Landed, kafka: Standing | None) -> dict[str, Figures]:
    """Return the figures of the raw tables by name."""
    common: dict[str, Any] = {}
    if kafka is not None:
        common |= {"lag": _lag(kafka.ends, kafka, raw), **_workers(kafka.workers)}
    events = {"dagster/row_count": raw.events, **_at("newest_event_at", raw.newest_event), **common}
    letters = {"dagster/row_count": raw.letters}
    return {
        RAW_EVENTS: Figures(raw.events, "rows", events | _at("last_landed_at", raw.events_at)),
        RAW_DEAD_LETTERS: Figures(raw.letters, "rows", letters | _at("last_landed_at", raw.letters_at)),
    }


def _topic(topics: list[str], kafka: Standing, raw: Landed | None) -> Figures:
    ends = [end for topic in topics for end in kafka.ends[topic].values()]
    newest = max((kafka.newest[topic] for topic in topics if topic in kafka.newest), default=None)
    metadata: dict[str, Any] = {"topics": len(topics), "partitions": len(ends), **_at("newest_event_at", newest)}
    if raw is not None:
        metadata["lag"] = _lag(topics, kafka, raw)
    return Figures(sum(ends), "events", metadata | _workers(kafka.workers))


def _lag(topics: Iterable[str], kafka: Standing, raw: Landed) -> int:
    """Return how many messages have not landed, at most: markers of transactions count as messages."""
    return sum(
        max(0, end - raw.ends.get(topic, {}).get(number, 0))
        for topic in topics
        for number, end in kafka.ends[topic].items()
    )


def _workers(workers: list[Worker] | None) -> dict[str, Any]:
    if workers is None:
        return {}
    rows = [f"| {one.name} | {one.host} | {sum(one.partitions.values())} |" for one in workers]
    table = "\n".join(["| worker | host | partitions |", "|---|---|---|", *rows])
    return {"workers": len(workers), "living_workers": dg.MetadataValue.md(table)}


def _stamps(client: Client, table: str) -> tuple[int, datetime | None]:
    ((rows, latest),) = client.query(_STAMPS.format(table=table), tz_mode="aware").result_rows
    return int(rows), latest if rows else None


def _at(name: str, moment: datetime | None) -> dict[str, Any]:
    return {} if moment is None else {name: dg.MetadataValue.timestamp(moment)}
