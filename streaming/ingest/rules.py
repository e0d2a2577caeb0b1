"""What the settings say about messages and batches, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.clock import Clock
from contracts.settings import Settings
from streaming.ingest.batch import BatchPolicy
from streaming.ingest.decode import Decoder
from streaming.ingest.limit import LetterLimit
from streaming.ingest.policy import DecodePolicy


@dataclass(frozen=True)
class Rules:
    """The rules of one worker.

    Args:
        batch: when a batch closes.
        decoder: what is an event.
        limit: how many messages may be none.
    """

    batch: BatchPolicy
    decoder: Decoder
    limit: LetterLimit

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Rules:
        """Return the rules that the settings ask for."""
        return cls(BatchPolicy.of(settings), Decoder(clock, DecodePolicy.of(settings)), LetterLimit.of(settings))
