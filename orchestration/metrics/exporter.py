"""Asks every source at the same time, once a scrape, and goes without the one that does not answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final, TypeAlias

from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from contracts.clock import Clock
from contracts.errors import MillraceError
from contracts.exposition import family
from contracts.platform_metrics import LOOK_SECONDS, SOURCE_UP

# Prometheus gives a scrape ten seconds (`scrape_timeout`): what the others said must reach it in time.
LOOK_AT_MOST_SECONDS: Final = 8.0

Look: TypeAlias = Callable[[], Iterable[Family]]
_Found: TypeAlias = tuple[list[Family], float]

log = logging.getLogger("millrace.metrics")


class Exporter(Collector):
    """Collects what the sources say now.

    Args:
        sources: by name, what looks at each; it may raise `MillraceError`, which means that it is away.
        clock: measures how long a look takes.
        at_most_seconds: after which a look is left to itself; its source is not asked again until it has ended.
    """

    def __init__(
        self, sources: Mapping[str, Look], clock: Clock, at_most_seconds: float = LOOK_AT_MOST_SECONDS
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._at_most = at_most_seconds
        self._pool = ThreadPoolExecutor(len(sources), thread_name_prefix="look")
        self._going: dict[str, Future[_Found]] = {}
        self._troubles: dict[str, str] = {}

    def collect(self) -> Iterator[Family]:
        """Yield what every source that answers has, and which do."""
        looks = {name: self._look(name) for name in self._sources}
        wait(looks.values(), self._at_most)
        up: dict[tuple[str, ...], float] = {}
        seconds: dict[tuple[str, ...], float] = {}
        for name, look in looks.items():
            trouble = self._trouble(look)
            self._say(name, trouble)
            up[(name,)] = not trouble
            if not trouble:
                families, seconds[(name,)] = look.result()
                yield from families
        yield family(SOURCE_UP, up)
        yield family(LOOK_SECONDS, seconds)

    def close(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, name: str) -> Future[_Found]:
        going = self._going.get(name)
        if going is None or going.done():
            going = self._going[name] = self._pool.submit(self._timed, self._sources[name])
        return going

    def _timed(self, look: Look) -> _Found:
        before = self._clock.monotonic()
        return list(look()), self._clock.monotonic() - before

    def _trouble(self, look: Future[_Found]) -> str:
        if not look.done():
            return f"no answer within {self._at_most:g} s"
        error = look.exception()
        if error is not None and not isinstance(error, MillraceError):
            log.error("a look failed", exc_info=error)
        return str(error) or type(error).__name__ if error else ""

    def _say(self, name: str, trouble: str) -> None:
        """Log a change: a source that is away for an hour is one line, and one when it is back."""
        before = self._troubles.get(name, "")
        self._troubles[name] = trouble
        if trouble and not before:
            log.warning("%s: %s", name, trouble)
        elif before and not trouble:
            log.info("%s answers again", name)
