"""Bring a stack up hop by hop, and write down what runs so that `millrace status` can tell."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from contracts.clickhouse import connect
from contracts.errors import UserError
from contracts.settings import Settings
from local.service import Service
from local.stack import Stack
from local.supervisor import Supervisor
from sql.migrate import apply_roles, migrate
from streaming.kafka.topics import ensure_topic

Say = Callable[[str], None]
# What a stack may have chosen itself.
_OWN: Final = ("kafka_broker_url", "kafka_topic")


class Launched:
    """A stack that is up: its supervisor, and the stack with its addresses completed."""

    def __init__(self, stack: Stack, say: Say) -> None:
        self.stack = stack
        self.say = say
        self.supervisor = Supervisor(stack.logs, say)
        self._state = stack.home / "stack.json"

    def start(self, parts: tuple[str, ...]) -> None:
        """Start `parts` in the order of the data.

        Raises:
            UserError: another stack runs on this folder, or a port is taken.
            Permanent, RetryLater: a part did not start; everything started is left to `stop`.
        """
        self.refuse_a_second()
        if "clickhouse" in parts:
            self._start(self.stack.clickhouse())
        if "kafka" in parts:
            self._start(self.stack.kafka())
            if self.stack.settings.kafka == "memory" and self.stack.owns_kafka:
                # ClickHouse remembers the offsets of a topic; one whose events died with the last broker
                # begins again at 0, so it must not have the old one's name.
                topic = f"{self.stack.settings.produced_topic}-{datetime.now(UTC):%Y%m%d%H%M%S}"
                address = self.stack.memory_address.read_text()
                self._with_settings(kafka_broker_url=address, kafka_topic=topic)
        self._prepare_data(parts)
        if "slack" in parts:
            self._start(self.stack.slack())
        if "ingest" in parts:
            for worker in self.stack.ingest():
                self._start(worker)
        if "dagster" in parts:
            self.start_dagster()
        if "dashboard" in parts:
            self._start(self.stack.dashboard())
        if "simulator" in parts:
            self._start(self.stack.simulator("--rate", "100"))
        self.write_state()

    def start_dagster(self) -> None:
        """Start Dagster; apart from the others, because it can come up while history is loaded."""
        self._start(self.stack.dagster())

    def write_state(self) -> None:
        """Write what runs to `stack.json`, whole or not at all; a full disk must not end what runs."""
        services = {
            name: {"pid": running.pid, "restarts": self.supervisor.restarts(name), "log": str(running.log)}
            for name, running in self.supervisor.running.items()
        }
        text = json.dumps(
            {
                "supervisor": os.getpid(),
                "kafka_broker_url": self.stack.settings.kafka_broker_url,
                "kafka_topic": self.stack.settings.kafka_topic,
                "services": services,
            },
            indent=2,
        )
        fresh = self._state.with_suffix(".new")
        try:
            fresh.write_text(text)
            fresh.replace(self._state)
        except OSError as error:
            self.say(f"{self._state} cannot be written: {error.strerror}")

    def run_until_interrupted(self) -> None:
        """Look after the services until Ctrl-C or SIGTERM."""
        while True:
            self.supervisor.tick()
            self.write_state()
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop everything in order and forget the state."""
        self.supervisor.stop_all()
        self._state.unlink(missing_ok=True)

    def _start(self, service: Service | None) -> None:
        if service:
            self.supervisor.start(service)
            self.write_state()

    def _prepare_data(self, parts: tuple[str, ...]) -> None:
        settings = self.stack.settings
        if "clickhouse" in parts:
            with connect(settings) as client:
                applied = migrate(client, settings)
                if not self.stack.owns_clickhouse:
                    apply_roles(client, settings)
            self.say(f"migrations: {len(applied)} applied")
        if "kafka" in parts:
            ensure_topic(settings)

    def _with_settings(self, **changes: Any) -> None:
        settings = self.stack.settings.model_copy(update=changes)
        self.stack = replace(self.stack, settings=settings)

    def refuse_a_second(self) -> None:
        """Make sure that no other stack runs on this folder.

        Raises:
            UserError: one does; the message names its process.
        """
        self._state.parent.mkdir(parents=True, exist_ok=True)
        running = read_state(self._state.parent)
        if running:
            raise UserError(
                f"a stack already runs on {self._state.parent} (process {running['supervisor']}); "
                "stop it first, or set MILLRACE_HOME to another folder"
            )


def read_state(home: Path) -> dict[str, Any] | None:
    """Return what `stack.json` below `home` says, or None when no stack runs there."""
    path = home / "stack.json"
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    try:
        command = psutil.Process(state["supervisor"]).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
    return state if any("millrace" in word or "cli" in word for word in command) else None


def as_running(settings: Settings) -> Settings:
    """Return the settings with broker and topic of the stack that runs on MILLRACE_HOME; as they are when none does.

    The built-in broker listens wherever there is room, and its topic is named anew at each start.
    """
    state = read_state(settings.millrace_home)
    return settings.model_copy(update={name: state[name] for name in _OWN}) if state else settings
