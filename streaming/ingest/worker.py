"""Assemble a worker and see it through its life: wait for the neighbours, run, leave in order."""

from __future__ import annotations

import gc
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import connect
from contracts.clock import Clock, SystemClock
from contracts.errors import Permanent, RetryLater
from contracts.settings import Settings
from contracts.topics import absent
from streaming.ingest.endpoint import serving
from streaming.ingest.epochs import Epochs
from streaming.ingest.health import STUCK_SECONDS, Counts, Health
from streaming.ingest.loop import Loop
from streaming.ingest.meters import MeteredWriter
from streaming.ingest.offsets import Ledger
from streaming.ingest.rules import Rules
from streaming.ingest.source import Source
from streaming.ingest.standing import Standing
from streaming.ingest.writer import ClickHouseWriter, Writes

# Longer than a healthy insert ever takes; after it the insert is tried again with its token.
_ANSWER_SECONDS: Final = 60
_RETRY_SECONDS: Final = 1.0
_GC_THRESHOLD: Final = 100_000

log = logging.getLogger("millrace.ingest")


class Stop(Protocol):
    """What tells a worker to leave; `threading.Event` is one."""

    def is_set(self) -> bool:
        """Tell whether to leave."""

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for it, and tell whether it came."""


@dataclass(frozen=True)
class WorkerOptions:
    """How one worker runs.

    Args:
        name: of the state file and in the server's query log.
        until_caught_up: end when everything in the topic is read and written.
        wrap_writer: puts something around the writer; for tests that break it.
        clock: the time.
        stuck_seconds: without a turn of the loop for so long, `/live` says that it is stuck.
    """

    name: str = "worker-1"
    until_caught_up: bool = False
    wrap_writer: Callable[[Writes], Writes] = lambda writer: writer
    clock: Clock = field(default_factory=SystemClock)
    stuck_seconds: float = STUCK_SECONDS


def state_file(settings: Settings, name: str) -> Path:
    """Return where the worker of this name keeps its state."""
    return settings.millrace_home / "ingest" / f"{name}.json"


def run_worker(settings: Settings, stop: Stop, options: WorkerOptions | None = None) -> Counts:
    """Move events from Kafka to ClickHouse until `stop`; return what was written.

    Raises:
        Permanent: going on cannot help: a refused user, a missing table, a topic created anew.
        UserError: the port of its metrics cannot be opened.
    """
    options = options or WorkerOptions()
    health = Health(state_file(settings, options.name), options.clock, options.stuck_seconds)
    with serving(settings, options.name, health):
        return _work(settings, stop, options, health)


def _work(settings: Settings, stop: Stop, options: WorkerOptions, health: Health) -> Counts:
    _tune_process()
    health.enter("starting")
    client = _lazy_client(settings)
    ledger = Ledger(client)
    run = secrets.token_hex(4)
    epochs = Epochs(client, settings.kafka_group_id, f"{options.name}/{run}")
    writer = ClickHouseWriter(client, epochs, options.name, run, options.clock)
    metered = MeteredWriter(options.wrap_writer(writer), health.meters, options.clock)
    loop = Loop(Rules.of(settings, options.clock), metered, health, options.clock)
    source = Source(settings, options.name, ledger, epochs, loop)
    try:
        if _await("ClickHouse", lambda: _check_tables(ledger), health, stop) and _await(
            "Kafka", lambda: _check_topics(source), health, stop
        ):
            source.subscribe()
            health.enter("running")
            log.info("%s reads %s", options.name, ", ".join(settings.topics))
            loop.run(source, stop, until_caught_up=options.until_caught_up)
            health.tick(source.standing(), loop.in_hand())
    finally:
        health.enter("stopping")
        source.close()
    return health.counts


def _tune_process() -> None:
    # Arrow's own allocator keeps what a batch freed (about 60 MB more at 50,000 rows); malloc gives it back.
    pa.set_memory_pool(pa.system_memory_pool())
    # Decoding makes many short-lived tuples and no cycles: looking for cycles costs a fifth of its time.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)


def _lazy_client(settings: Settings) -> Callable[[], Client]:
    """Return a function that connects on its first success; failures are not remembered."""

    @cache
    def client() -> Client:
        return connect(settings, send_receive_timeout=_ANSWER_SECONDS, compress=False)

    return client


def _check_tables(ledger: Ledger) -> None:
    try:
        ledger.check()
    except Permanent as error:
        raise Permanent(f"the raw tables cannot be read (has `millrace migrate` run?): {error}") from error


def _check_topics(source: Source) -> None:
    missing = source.missing_topics()
    if missing:
        raise RetryLater(absent(missing))


def _await(who: str, check: Callable[[], None], health: Health, stop: Stop) -> bool:
    """Try `check` until it works; return False when `stop` came first."""
    while not stop.is_set():
        try:
            check()
        except RetryLater as error:
            health.wait_for(who, str(error))
            health.tick(Standing())
            stop.wait(_RETRY_SECONDS)
        else:
            health.found(who)
            return True
    return False
