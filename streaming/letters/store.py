"""Dead letters as ClickHouse has them. Texts are read as bytes: nothing says that what a client sent is UTF-8."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors, server_code
from contracts.errors import Permanent
from contracts.names import DEAD_LETTER_ACTIONS, RAW_DEAD_LETTERS, RAW_EVENTS
from streaming.letters.filters import Filters, Place
from streaming.letters.letter import Group, Letter

_MISSING: Final = frozenset({60, 81})  # unknown table, unknown database
_NOT_ALLOWED: Final = 497
# Bounds what is in memory and what one round of a replay has under way.
_CHUNK_ROWS: Final = 500
_CHUNK_BYTES: Final = 8_000_000
_EXCERPT_BYTES: Final = 256

# Each letter with what was done about it. A replay counts more than a drop: it moved the message.
_LETTERS: Final = f"""
(
    SELECT letter.*, length(letter.payload) AS size, new_partition, new_offset,
        multiIf(was_replayed, 'replayed', was_dropped, 'dropped', 'open') AS state
    FROM {RAW_DEAD_LETTERS} AS letter GLOBAL LEFT JOIN
    (
        SELECT kafka_topic, kafka_partition, kafka_offset,
            countIf(action = 'replayed') > 0 AS was_replayed, countIf(action = 'dropped') > 0 AS was_dropped,
            argMinIf(dead.new_partition, dead.at, action = 'replayed') AS new_partition,
            argMinIf(dead.new_offset, dead.at, action = 'replayed') AS new_offset
        FROM {DEAD_LETTER_ACTIONS} AS dead GROUP BY kafka_topic, kafka_partition, kafka_offset
    ) AS done USING (kafka_topic, kafka_partition, kafka_offset)
)"""  # noqa: S608 - constant names
_GROUPS: Final = f"""
SELECT kafka_topic, error_class, count() AS letters, min(ingested_at) AS first, max(ingested_at) AS last,
    arraySort(groupUniqArray(kafka_partition)) AS partitions,
    argMax((kafka_partition, kafka_offset), (ingested_at, kafka_partition, kafka_offset)) AS example,
    argMax(error_text, (ingested_at, kafka_partition, kafka_offset)) AS text
FROM {_LETTERS} WHERE {{condition}}
GROUP BY kafka_topic, error_class ORDER BY letters DESC, kafka_topic, error_class"""  # noqa: S608
_NEWEST: Final = "ORDER BY ingested_at DESC, kafka_topic, kafka_partition DESC, kafka_offset DESC"
_PLACES: Final = "SELECT kafka_topic, kafka_partition, kafka_offset, size, ingested_at FROM"
_COLUMNS: Final = (
    "key, headers, size, error_class, error_text, kafka_topic, kafka_partition, kafka_offset, "
    "kafka_timestamp, ingested_at, state, new_partition, new_offset"
)
_LANDED: Final = """
SELECT toString(source) FROM
(
    SELECT 'event' AS source, kafka_topic, kafka_partition, kafka_offset FROM {events}
    UNION ALL
    SELECT 'dead letter', kafka_topic, kafka_partition, kafka_offset FROM {letters}
)
WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt32}} AND kafka_offset = {{offset:UInt64}}
LIMIT 1"""


@contextmanager
def understood_errors() -> Iterator[None]:
    """Map ClickHouse's errors, and say of a missing table or grant how to mend it.

    Raises:
        RetryLater, Permanent: as `contracts.clickhouse.mapped_errors`.
    """
    try:
        with mapped_errors():
            yield
    except Permanent as error:
        code = server_code(error)
        if code in _MISSING:
            raise Permanent(f"a table is missing (has `millrace migrate` run?): {error}") from error
        if code == _NOT_ALLOWED:
            raise Permanent(f"this ClickHouse user may not do that (role millrace_letters may): {error}") from error
        raise


@dataclass(frozen=True)
class Selection:
    """The places of many letters, a few bytes each, ordered by topic, partition and offset."""

    table: pa.Table

    @classmethod
    def empty(cls) -> Selection:
        """Return a selection of nothing."""
        return cls(pa.table({name: [] for name in ("topic", "partition", "offset", "size")}))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def chunks(self) -> Iterator[list[Place]]:
        """Yield the places, at most so many and so many bytes of payload at a time, each chunk of one topic."""
        chunk: list[Place] = []
        size = 0
        for place, payload in self._sized():
            full = len(chunk) >= _CHUNK_ROWS or size + payload > _CHUNK_BYTES
            if chunk and (full or chunk[0].topic != place.topic):
                yield chunk
                chunk, size = [], 0
            chunk.append(place)
            size += payload
        if chunk:
            yield chunk

    def places(self) -> Iterator[Place]:
        """Yield each place."""
        return (place for place, _ in self._sized())

    def _sized(self) -> Iterator[tuple[Place, int]]:
        for batch in self.table.to_batches(max_chunksize=10_000):
            columns = [batch.column(index).to_pylist() for index in range(4)]
            for topic, partition, offset, size in zip(*columns, strict=True):
                yield Place(topic.decode(), partition, offset), size or 0


class Letters:
    """Reads dead letters.

    Args:
        client: returns a connected client.

    Every method raises RetryLater when ClickHouse is away or busy, and Permanent when it refuses.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client

    def groups(self, filters: Filters) -> list[Group]:
        """Return the letters by topic and reason, the most frequent first; the limit is one of groups."""
        condition, parameters = filters.where()
        rows = self._arrow(_GROUPS.format(condition=condition) + _limit(filters), parameters).to_pylist()
        return [
            Group(
                row["kafka_topic"].decode(), row["error_class"].decode(), row["letters"], row["first"], row["last"],
                tuple(row["partitions"]), Place(row["kafka_topic"].decode(), *row["example"].values()),
                row["text"].decode(),
            )
            for row in rows
        ]  # fmt: skip

    def newest(self, filters: Filters) -> list[Letter]:
        """Return the letters with only the beginning of their payloads, newest first."""
        selection = self._selected(filters)
        found = {letter.place: letter for chunk in selection.chunks() for letter in self.read(chunk, _EXCERPT_BYTES)}
        order = selection.table.column("ingested_at").to_pylist()
        places = [place for _, place in sorted(zip(order, selection.places(), strict=True), reverse=True)]
        return [found[place] for place in places if place in found]

    def select(self, filters: Filters) -> Selection:
        """Return the places of the letters; with a limit, of the newest."""
        return self._selected(filters)

    def read(self, places: Sequence[Place], payload_bytes: int | None = None) -> list[Letter]:
        """Return the letters at these places, all of one topic, in the order of their places.

        Args:
            places: where they are; one that is not there is left out.
            payload_bytes: read only so much of each payload.
        """
        payload = "payload" if payload_bytes is None else f"substring(payload, 1, {payload_bytes})"
        query = (
            f"SELECT {payload} AS content, {_COLUMNS} FROM {_LETTERS} "  # noqa: S608 - constant names
            "WHERE kafka_topic = {topic:String} AND (kafka_partition, kafka_offset) IN "
            "arrayZip({partitions:Array(UInt32)}, {offsets:Array(UInt64)}) ORDER BY kafka_partition, kafka_offset"
        )
        parameters = {
            "topic": places[0].topic,
            "partitions": [place.partition for place in places],
            "offsets": [place.offset for place in places],
        }
        rows = self._arrow(query, parameters).to_pylist()
        return [Letter.of(row | {"payload": row["content"]}) for row in rows]

    def landed_as(self, place: Place) -> str | None:
        """Return "event" or "dead letter" for what lies at `place` in raw, None when ingest has not come there."""
        query = _LANDED.format(events=RAW_EVENTS, letters=RAW_DEAD_LETTERS)
        with understood_errors():
            rows = self._client().query(query, parameters=place._asdict()).result_rows
        return str(rows[0][0]) if rows else None

    def _selected(self, filters: Filters) -> Selection:
        condition, parameters = filters.where()
        newest = f"{_PLACES} {_LETTERS} WHERE {condition}"
        if filters.limit is not None:
            newest += f" {_NEWEST}{_limit(filters)}"
        query = f"{_PLACES} ({newest}) ORDER BY kafka_topic, kafka_partition, kafka_offset"
        return Selection(self._arrow(query, parameters))

    def _arrow(self, query: str, parameters: dict[str, Any]) -> pa.Table:
        with understood_errors():
            return self._client().query_arrow(query, parameters=parameters, use_strings=False)


def _limit(filters: Filters) -> str:
    return "" if filters.limit is None else f" LIMIT {filters.limit:d}"
