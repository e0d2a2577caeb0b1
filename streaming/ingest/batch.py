"""What one insert carries: closed by rows, bytes or age, whichever comes first.

A batch holds events of all partitions of its worker. One insert a batch, rather than one a partition,
makes an eighth of the parts with eight partitions and keeps each part big. The invariant does not suffer:
the insert is one part, so all its partitions move forward together or none does, and the token names
every partition's offsets.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyarrow as pa

from contracts.settings import Settings
from streaming.ingest.limit import Refusals
from streaming.ingest.records import Partition, Span

# Bounds memory where events are large; 50,000 events of the usual 350 bytes are 17 MB.
MAX_BATCH_BYTES: Final = 33_554_432
# Tokens travel in the address of the request; a worker of hundreds of partitions sends the digest.
_MAX_TOKEN: Final = 1_500


@dataclass(frozen=True)
class BatchPolicy:
    """When a batch closes.

    Args:
        rows: messages at most, events and dead letters together.
        bytes: bytes of message values at most.
        seconds: age of its first message at most.
    """

    rows: int
    bytes: int
    seconds: float

    @classmethod
    def of(cls, settings: Settings) -> BatchPolicy:
        """Return the policy that the settings ask for."""
        return cls(settings.kafka_batch_size, MAX_BATCH_BYTES, settings.kafka_flush_interval)


@dataclass
class Chunk:
    """What one poll brought, decoded.

    Args:
        events: columns of `raw.events`, in one piece or two.
        letters: columns of `raw.dead_letters`; None when there are none.
        spans: the offsets it covers, by partition.
        bytes: size of the message values.
        refusals: which messages were no events.
    """

    events: list[pa.RecordBatch]
    letters: pa.RecordBatch | None
    spans: dict[Partition, Span]
    bytes: int
    refusals: Refusals = field(default_factory=Refusals)

    @property
    def rows(self) -> int:
        """Events and dead letters."""
        parts = [*self.events, self.letters] if self.letters else self.events
        return sum(part.num_rows for part in parts)


@dataclass
class Batch:
    """Chunks that are written together, and how far their writing has come."""

    events: list[pa.RecordBatch] = field(default_factory=list)
    letters: list[pa.RecordBatch] = field(default_factory=list)
    spans: dict[Partition, Span] = field(default_factory=dict)
    bytes: int = 0
    opened_at: float = 0.0
    attempts: int = 0
    letters_written: bool = False
    stamped_at: datetime | None = None

    def add(self, chunk: Chunk, now: float) -> None:
        """Take a chunk in; `now` is monotonic seconds, and the first chunk's starts the batch's age."""
        if not self.spans:
            self.opened_at = now
        self.events += chunk.events
        if chunk.letters is not None:
            self.letters.append(chunk.letters)
        self.bytes += chunk.bytes
        for partition, span in chunk.spans.items():
            known = self.spans.setdefault(partition, span)
            known.last = max(known.last, span.last)

    @property
    def event_rows(self) -> int:
        """Number of events."""
        return sum(part.num_rows for part in self.events)

    @property
    def letter_rows(self) -> int:
        """Number of dead letters."""
        return sum(part.num_rows for part in self.letters)

    @property
    def rows(self) -> int:
        """Events and dead letters."""
        return self.event_rows + self.letter_rows

    def is_empty(self) -> bool:
        """Tell whether no message was added yet; one that was skipped as known counts too."""
        return not self.spans

    def is_full(self, policy: BatchPolicy) -> bool:
        """Tell whether it may not grow any more."""
        return self.rows >= policy.rows or self.bytes >= policy.bytes

    def is_due(self, policy: BatchPolicy, now: float) -> bool:
        """Tell whether it is to be written: full, or old enough; `now` is monotonic seconds."""
        return not self.is_empty() and (self.is_full(policy) or now - self.opened_at >= policy.seconds)

    def token(self) -> str:
        """Return `topic:partition:first-last@epoch` of each partition: the same for each try of this batch.

        With the epoch, rows that were deleted and are read again are never taken for a repeat.
        """
        text = ",".join(
            f"{partition}:{span.first}-{span.last}@{span.epoch}" for partition, span in sorted(self.spans.items())
        )
        return text if len(text) <= _MAX_TOKEN else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
