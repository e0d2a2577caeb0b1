"""What `KAFKA_TOPIC` may say: topics by name, and patterns that begin with ^."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
# The signs that mean the same to librdkafka (POSIX) and to Python, which tells what a pattern matches.
_PATTERN: Final = re.compile(r"\^[A-Za-z0-9._\-*+?()\[\]|$^]{1,249}")


def topic_entries(text: str) -> tuple[str, ...]:
    """Return the entries of a comma-separated list, each once, in their order."""
    return tuple(dict.fromkeys(entry.strip() for entry in text.split(",")))


def is_pattern(entry: str) -> bool:
    """Tell whether an entry is a pattern rather than a name."""
    return entry.startswith("^")


def check_topics(text: str) -> None:
    """Return when every entry of the list is a name or a pattern.

    Raises:
        ValueError: one is neither; the message says what is allowed.
    """
    for entry in topic_entries(text):
        if is_pattern(entry):
            _check_pattern(entry)
        elif not _NAME.fullmatch(entry) or entry in {".", ".."}:
            raise ValueError(
                f"'{entry}' is no name of a topic (letters, digits, '.', '_' and '-', at most 249) and no pattern (^…)"
            )


def missing_topics(entries: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the names that are not in `known`; the patterns, when they are all there is and none matches."""
    entries = list(entries)
    names = [entry for entry in entries if not is_pattern(entry)]
    missing = [name for name in names if name not in known]
    return missing if names or matching(entries, known) else entries


def absent(missing: Iterable[str]) -> str:
    """Return the sentence about entries for which there is no topic."""
    return ", ".join(
        f"no topic matches {entry}" if is_pattern(entry) else f"topic {entry} does not exist" for entry in missing
    )


def matching(entries: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the topics of `known` that an entry names or matches, sorted; Kafka's own match no pattern."""
    entries = list(entries)
    return sorted(topic for topic in known if any(_matches(entry, topic) for entry in entries))


def _matches(entry: str, topic: str) -> bool:
    if not is_pattern(entry):
        return entry == topic
    return not topic.startswith("__") and re.search(entry, topic) is not None


def _check_pattern(entry: str) -> None:
    if not _PATTERN.fullmatch(entry):
        raise ValueError(f"'{entry}': a pattern holds letters, digits and . _ - * + ? ( ) [ ] | $ ^ after its first ^")
    try:
        re.compile(entry)
    except re.error as error:
        raise ValueError(f"'{entry}' is no pattern: {error}") from None
