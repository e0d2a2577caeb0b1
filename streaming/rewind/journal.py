"""What the marts must know of a rewind: rows below their watermarks are coming, or have all come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.names import RAW_REWINDS
from streaming.rewind.target import Stretch

# Ends this run's entry and those of runs that died on the same partition: their rows are all there now.
_END: Final = f"""
INSERT INTO {RAW_REWINDS} (run, kafka_topic, kafka_partition, first_offset, is_done)
SELECT run, kafka_topic, kafka_partition, min(first_offset), true FROM {RAW_REWINDS}
WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt32}}
GROUP BY run, kafka_topic, kafka_partition HAVING max(is_done) = false"""  # noqa: S608 - constant names


class Journal:
    """Writes `raw.rewinds`.

    Args:
        client: returns the connected client.
        run: the name of this run.
    """

    def __init__(self, client: Callable[[], Client], run: str) -> None:
        self._client = client
        self._run = run

    def begin(self, stretch: Stretch) -> None:
        """Say that rows of this stretch may appear; before the first of them is written.

        Raises:
            RetryLater, Permanent: ClickHouse is away or refuses.
        """
        row = [self._run, stretch.partition.topic, stretch.partition.number, stretch.first, False]
        names = ["run", "kafka_topic", "kafka_partition", "first_offset", "is_done"]
        with mapped_errors():
            self._client().insert(RAW_REWINDS, [row], column_names=names)

    def end(self, stretch: Stretch) -> None:
        """Say that all rows of this stretch are there.

        Raises:
            RetryLater, Permanent: ClickHouse is away or refuses.
        """
        place = {"topic": stretch.partition.topic, "partition": stretch.partition.number}
        with mapped_errors():
            self._client().command(_END, parameters=place)
