"""What was done about dead letters: rows that are only ever added, in `ops.dead_letter_actions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from contracts.names import DEAD_LETTER_ACTIONS
from streaming.letters.filters import Place
from streaming.letters.store import understood_errors

_PLACE: Final = ("kafka_topic", "kafka_partition", "kafka_offset")
# Ages come from the server's clock alone, so that two machines need not agree on the time.
_UNFINISHED: Final = f"""
SELECT kafka_topic, kafka_partition, kafka_offset, batch_id, maxIf(end_offset, action = 'begun'),
    dateDiff('millisecond', maxIf(at, action = 'begun'), now64(3, 'UTC')) / 1000
FROM {DEAD_LETTER_ACTIONS}
GROUP BY kafka_topic, kafka_partition, kafka_offset, batch_id
HAVING countIf(action = 'begun') > 0 AND countIf(action IN ('replayed', 'released')) = 0"""  # noqa: S608 - constant
_RIVALS: Final = f"""
SELECT uniqExact(kafka_partition, kafka_offset) FROM
(
    SELECT kafka_partition, kafka_offset, batch_id, groupUniqArray(toString(action)) AS actions
    FROM {DEAD_LETTER_ACTIONS}
    WHERE kafka_topic = {{topic:String}} AND batch_id != {{batch:String}} AND (kafka_partition, kafka_offset) IN
        arrayZip({{partitions:Array(UInt32)}}, {{offsets:Array(UInt64)}})
    GROUP BY kafka_partition, kafka_offset, batch_id
)
WHERE has(actions, 'replayed') OR (has(actions, 'begun') AND NOT has(actions, 'released'))"""  # noqa: S608
_HISTORY: Final = f"""
SELECT toString(action), at, new_partition, new_offset, batch_id FROM {DEAD_LETTER_ACTIONS}
WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt32}} AND kafka_offset = {{offset:UInt64}}
ORDER BY at, action"""  # noqa: S608


@dataclass(frozen=True)
class Unfinished:
    """A letter whose replay began, and nobody wrote down how it ended.

    Args:
        place: the letter.
        batch: id of the batch that was to carry it.
        end_offset: where its partition ended then: if it was sent, it lies there or later.
        age: seconds since it began.
    """

    place: Place
    batch: str
    end_offset: int
    age: float


@dataclass(frozen=True)
class Action:
    """One step in a letter's history: begun, replayed (and where it went), released or dropped."""

    action: str
    at: datetime
    went_to: Place | None
    batch: str


class Actions:
    """Reads and adds the rows.

    Args:
        client: returns a connected client.

    Every method raises RetryLater when ClickHouse is away or busy, and Permanent when it refuses.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client

    def begin(self, batch: str, places: Sequence[Place], ends: Mapping[int, int]) -> None:
        """Record that these letters are about to be sent; `ends` are their topic's ends, by partition."""
        rows = [(*place, "begun", batch, ends[place.partition]) for place in places]
        self._add(rows, "action", "batch_id", "end_offset")

    def replayed(self, batch: str, went: Mapping[Place, Place]) -> None:
        """Record where letters went."""
        rows = [(*place, "replayed", batch, new.partition, new.offset) for place, new in went.items()]
        self._add(rows, "action", "batch_id", "new_partition", "new_offset")

    def release(self, batch: str, places: Sequence[Place]) -> None:
        """Record that the batch sent nothing for these letters."""
        self._add([(*place, "released", batch) for place in places], "action", "batch_id")

    def drop(self, batch: str, places: Sequence[Place]) -> None:
        """Record that these letters are dealt with."""
        self._add([(*place, "dropped", batch) for place in places], "action", "batch_id")

    def unfinished(self) -> list[Unfinished]:
        """Return every letter whose replay began and has no recorded end."""
        with understood_errors():
            rows = self._client().query(_UNFINISHED).result_rows
        return [Unfinished(Place(*row[:3]), str(row[3]), int(row[4]), float(row[5])) for row in rows]

    def rivals(self, batch: str, places: Sequence[Place]) -> int:
        """Return how many of these letters, all of one topic, another batch has sent or is about to send."""
        parameters: dict[str, Any] = {
            "topic": places[0].topic,
            "batch": batch,
            "partitions": [place.partition for place in places],
            "offsets": [place.offset for place in places],
        }
        with understood_errors():
            return int(self._client().query(_RIVALS, parameters=parameters).result_rows[0][0])

    def history(self, place: Place) -> list[Action]:
        """Return what was done about one letter, in order."""
        with understood_errors():
            rows = self._client().query(_HISTORY, parameters=place._asdict()).result_rows
        return [
            Action(name, at, Place(place.topic, partition, offset) if name == "replayed" else None, batch)
            for name, at, partition, offset, batch in rows
        ]

    def _add(self, rows: list[tuple[Any, ...]], *columns: str) -> None:
        if rows:
            with understood_errors():
                self._client().insert(DEAD_LETTER_ACTIONS, rows, column_names=[*_PLACE, *columns])
