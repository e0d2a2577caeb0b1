"""Letters back into Kafka: the same bytes, key and headers, into the partition they came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.settings import Settings
from streaming.kafka.client import producer_config
from streaming.kafka.topics import mapped_errors
from streaming.letters.filters import Place
from streaming.letters.letter import Letter
from streaming.letters.topic import ORIGIN_HEADER

# The broker decides what is too large; librdkafka's own limit would refuse what other clients could send.
_MAX_BYTES: Final = 64_000_000


@dataclass
class Sent:
    """What Kafka answered.

    Args:
        went: where the letters went.
        failed: why others were not confirmed. Some of these may have arrived all the same.
    """

    went: dict[Place, Place] = field(default_factory=dict)
    failed: dict[Place, str] = field(default_factory=dict)


class Sender:
    """Produces letters.

    A letter goes to its own partition and not where its key's hash says: whoever sent it may have hashed
    differently, and events of one user stay in one partition.

    Args:
        settings: the broker.
        seconds: after this long without an answer a letter has failed and is not tried any more.

    Raises:
        Permanent: the settings do not make a producer.
    """

    def __init__(self, settings: Settings, seconds: float) -> None:
        limits = {"delivery.timeout.ms": int(seconds * 1000), "message.max.bytes": _MAX_BYTES}
        self._seconds = seconds
        with mapped_errors("sending"):
            self._producer = Producer(producer_config(settings) | limits)

    def send(self, letters: Sequence[Letter]) -> Sent:
        """Send the letters and wait for the answer to each."""
        sent = Sent()
        for letter in letters:
            try:
                self._producer.produce(
                    letter.place.topic,
                    letter.payload,
                    letter.key,
                    letter.place.partition,
                    on_delivery=_note(letter.place, sent),
                    headers=[*letter.headers, (ORIGIN_HEADER, str(letter.place).encode())],
                )
            except KafkaException as error:
                sent.failed[letter.place] = str(error.args[0].str())
            self._producer.poll(0)
        # A little over the time after which each letter has its answer.
        self._producer.flush(self._seconds + 5)
        for letter in letters:
            if letter.place not in sent.went:
                sent.failed.setdefault(letter.place, "no answer came in time")
        return sent


def _note(place: Place, sent: Sent) -> Callable[[KafkaError | None, Message], None]:
    def note(error: KafkaError | None, message: Message) -> None:
        if error is None:
            # A confirmed message has both; the types allow for messages that were never sent.
            sent.went[place] = Place(place.topic, message.partition() or 0, message.offset() or 0)
        else:
            sent.failed[place] = str(error.str())

    return note
