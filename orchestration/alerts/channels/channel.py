"""What the delivery needs of a channel."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from contracts.errors import Permanent
from orchestration.alerts.notice import Notice


class Gone(Permanent):
    """The message that was to be edited is not there any more."""


class Refused(Permanent):
    """The channel takes nothing with these settings (token, address, rights): a person has to mend that."""


class Channel(Protocol):
    """A place that takes messages.

    Every method raises, besides what it says: SlowDown and RetryLater, when certainly nothing was done; LookFirst,
    when something may have been done; Refused, when the settings are wrong; Permanent, when it never takes this
    message.
    """

    edits: bool
    """Whether a message can be changed after it was posted; if not, its end is a message of its own."""

    def post(self, notice: Notice, key: str) -> str:
        """Post a new message that carries `key`, and return its place."""

    def edit(self, place: str, notice: Notice, key: str) -> None:
        """Replace the message at `place`.

        Raises:
            Gone: it is not there any more.

        """

    def note(self, place: str, notice: Notice, key: str) -> str:
        """Add to the message at `place`, and return the note's own place."""

    def find(self, key: str, since: datetime, place: str = "") -> str:
        """Return the place of what was sent with `key` since then (at `place` if given); '' when it is not there.

        A channel that cannot look returns ''; its receivers know a repeat by its key.
        """
