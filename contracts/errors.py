"""Errors named by the reaction they demand, so that a caller decides by type and never by text.

Third-party exceptions are mapped to these at one boundary per client; `UserError` is the only one
whose message is meant for the terminal, and command-line programs turn it into one line and exit 2.
"""

from __future__ import annotations


class MillraceError(Exception):
    """Base of every error this project raises on purpose."""


class UserError(MillraceError):
    """The user asked for something that cannot be done; the message says what to do instead."""


class RetryLater(MillraceError):
    """The neighbour is away or busy: keep the work in hand and try again with back-off."""


class SlowDown(RetryLater):
    """The neighbour asks for less: wait at least `seconds` before the next try.

    Args:
        message: what was refused, for the log.
        seconds: how long the neighbour asked to be left alone.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class LookFirst(RetryLater):
    """No answer came, or one that leaves it open: look whether it was done before trying again."""


class Fenced(MillraceError):
    """Somebody else has taken over: drop what is in hand, and ask anew what is ours."""


class InvalidEvent(MillraceError):
    """The event is at fault, not the program: it belongs in the dead letters with this reason.

    Args:
        reason: one of `contracts.event.RejectReason`, a stable word people can group by.
        text: what is wrong with this event, for a person.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Permanent(MillraceError):
    """Trying again cannot help (wrong password, missing table, refused grant): stop and say so."""
