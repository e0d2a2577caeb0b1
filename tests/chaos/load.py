"""A steady load of events with known numbers, and the producer's own record of every delivery."""

from __future__ import annotations

import itertools
import random
import threading
import time
from array import array
from typing import Any, Final

import polars as pl
from confluent_kafka import KafkaError, Producer

_TICK_SECONDS: Final = 0.05
# An event's number is the last group of its id; a bad message ends with an id, too.
ID_PREFIX: Final = "5eedc0de-0000-4000-8000-"
_BROKEN: Final = (b"not JSON ", b"\xff\xfe ", b'{"event_id": ', b"[1, 2] ")
_CONFIG: Final[dict[str, Any]] = {
    "enable.idempotence": True,
    "acks": "all",
    "linger.ms": 20,
    "compression.type": "lz4",
    # An outage of the broker must not cost a message: it would have no known fate.
    "delivery.timeout.ms": 3_600_000,
    "queue.buffering.max.messages": 2_000_000,
    "queue.buffering.max.kbytes": 1_000_000,
    "reconnect.backoff.max.ms": 500,
    "log_level": 0,
}


class Record:
    """What the broker acknowledged: for each partition the offsets, the numbers, and which were bad."""

    def __init__(self, partitions: int) -> None:
        self.failed: list[str] = []
        self._lock = threading.Lock()
        self._offsets = [array("Q") for _ in range(partitions)]
        self._numbers = [array("Q") for _ in range(partitions)]
        self._bad = [array("B") for _ in range(partitions)]

    def delivered(self, partition: int, offset: int, number: int, bad: bool) -> None:
        """Note one acknowledged message."""
        with self._lock:
            self._offsets[partition].append(offset)
            self._numbers[partition].append(number)
            self._bad[partition].append(bad)

    def heads(self) -> list[int]:
        """Return how many messages of each partition were acknowledged."""
        with self._lock:
            return [len(offsets) for offsets in self._offsets]

    def snapshot(self) -> pl.DataFrame:
        """Return partition, offset, number and bad of every acknowledged message."""
        with self._lock:
            parts = [
                pl.DataFrame(
                    {
                        "offset": pl.Series(list(self._offsets[each]), dtype=pl.UInt64),
                        "number": pl.Series(list(self._numbers[each]), dtype=pl.UInt64),
                        "bad": pl.Series(list(self._bad[each]), dtype=pl.UInt8),
                    }
                ).with_columns(partition=pl.lit(each, pl.UInt32))
                for each in range(len(self._offsets))
            ]
        return pl.concat(parts)


class Load:
    """Produces in a thread, straight to the broker and not through a proxy, until `stop`.

    Args:
        broker: address.
        topic: its name; messages go round its `partitions`.
        rate: events per second; one in a hundred is no event.
        seed: of the choice which are bad.
    """

    def __init__(self, broker: str, topic: str, partitions: int, rate: float, seed: int) -> None:
        self.record = Record(partitions)
        self._topic = topic
        self._partitions = partitions
        self._rate = rate
        self._dice = random.Random(seed)
        self._numbers = itertools.count()
        self._producer = Producer({"bootstrap.servers": broker, **_CONFIG})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="chaos-load")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float = 60.0) -> int:
        """End, wait for the broker's answers, and return how many messages never got one."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return int(self._producer.flush(seconds))

    def burst_of_bad(self, number: int, partition: int) -> None:
        """Send so many messages that are no events to one partition."""
        for _ in range(number):
            self._send(bad=True, partition=partition)

    def _run(self) -> None:
        due, owed = time.monotonic(), 0.0
        while not self._stop.is_set():
            owed += self._rate * _TICK_SECONDS
            for _ in range(int(owed)):
                self._send(bad=self._dice.random() < 0.01)
            owed -= int(owed)
            self._producer.poll(0)
            due += _TICK_SECONDS
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _send(self, *, bad: bool, partition: int | None = None) -> None:
        number = next(self._numbers)
        target = number % self._partitions if partition is None else partition

        def on_delivery(error: KafkaError | None, message: Any) -> None:
            if error is not None or message.offset() is None or message.offset() < 0:
                self.record.failed.append(f"{number}: {error}")
            else:
                self.record.delivered(message.partition(), message.offset(), number, bad)

        value = bad_message(number) if bad else good_message(number)
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key=f"user-{number % 997}", partition=target, on_delivery=on_delivery
                )
            except BufferError:
                self._producer.poll(0.05)
            else:
                return


def good_message(number: int) -> bytes:
    """Return an event of about 350 bytes that carries this number."""
    moment = time.time_ns() // 1_000_000
    return (
        f'{{"event_id": "{ID_PREFIX}{number:012x}", "event_type": "page_view", "timestamp": {moment}, '
        f'"user_id": "user-{number % 997}", "session_id": "s-{number % 4_999:x}", "item_id": "item_{number % 211}", '
        f'"item_category": "category_{number % 20}", "page_url": "/item/{number % 211}", "device_type": "desktop", '
        f'"user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "country": "DE"}}'
    ).encode()


def bad_message(number: int) -> bytes:
    """Return something that cannot be an event and ends with this number."""
    return _BROKEN[number % len(_BROKEN)] + f"{ID_PREFIX}{number:012x}".encode()
