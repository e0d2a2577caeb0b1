"""The demo from start to end: history through Kafka and ingest, then a live shop with a planted spike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.clickhouse import connect, mapped_errors
from contracts.errors import Permanent, RetryLater
from local.demo.alerts import announced, first_about, posted, told
from local.demo.cadence import Cadence
from local.demo.freshness import FreshnessProbe
from local.demo.reckoning import reckon
from local.demo.report import DemoReport
from local.demo.source import Source
from local.launch import Launched, Say
from local.progress import Progress, read_progress
from local.service import RunningService

_STATUS_SECONDS = 5.0
_TICK_SECONDS = 0.5
_CATCH_UP_SECONDS = 600.0
_ALERT_SECONDS = 120.0
_SERVERS = ("clickhouse", "kafka", "slack", "ingest", "dashboard")

# Every partition of raw.events has been folded into fct_item up to its newest row.
_BEHIND = """
SELECT count() FROM (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest
    FROM raw.events GROUP BY kafka_topic, kafka_partition
) AS landed
LEFT JOIN (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS done
    FROM ops.model_watermarks WHERE model = 'int_item' GROUP BY kafka_topic, kafka_partition
) AS folded USING (kafka_topic, kafka_partition)
WHERE landed.newest > folded.done OR folded.kafka_topic = ''
"""


@dataclass(frozen=True)
class Options:
    """How long and how much.

    Args:
        duration: seconds of the live phase; None means until Ctrl-C.
        source: where the events come from.
    """

    duration: float | None
    source: Source


class Demo:
    """One demo on a stack that is not started yet."""

    def __init__(self, launched: Launched, options: Options, say: Say) -> None:
        self.report = DemoReport(source=options.source.name)
        self._launched = launched
        self._options = options
        self._say = say
        self._record = launched.stack.home / "record"
        self._cadence = Cadence(launched.stack.home / "dagster", datetime.now(UTC))
        self._next_status = 0.0
        self._phase = "history"

    def run(self) -> DemoReport:
        """Run it all and return the measured report; the stack is left for the caller to stop.

        Raises:
            Permanent, UserError: a part of the stack cannot start, or the marts never catch up.
        """
        started = time.monotonic()
        self._launched.start(_SERVERS)
        self._client = connect(self._launched.stack.settings)
        history = self._job("history", self._options.source.history(self._record))
        self._launched.start_dagster()
        self._until(lambda: history.exit_code is not None, _CATCH_UP_SECONDS * 4, "the history to be produced")
        self._refuse_failure(history)
        self._until(self._caught_up, _CATCH_UP_SECONDS, "the marts to hold the history")
        self.report.history_seconds = round(time.monotonic() - started, 1)
        probe = FreshnessProbe(lambda: connect(self._launched.stack.settings))
        probe.start()
        live_since = datetime.now(UTC)
        try:
            self._live()
        finally:
            probe.stop()
        self._finish(probe, live_since)
        return self.report

    def _live(self) -> None:
        self._phase = "live"
        source, duration = self._options.source, self._options.duration
        self._addresses()
        began = time.monotonic()
        producer = self._job("simulator", source.live(self._record))
        try:
            self._until(lambda: producer.exit_code is not None, (duration or 1e9) + 240, "the live phase to end")
            self._refuse_failure(producer)
        except KeyboardInterrupt:
            self._say("stopping: the last events are on their way")
            producer.stop()
        self.report.live_seconds = round(time.monotonic() - began, 1)
        self._phase = "catch up"
        self._until(self._caught_up, _CATCH_UP_SECONDS, "the marts to catch up")
        self.report.spike_item = self._options.source.spike_item()
        if self.report.spike_item:
            self._until(self._spike_alerted, _ALERT_SECONDS, "", fatal=False)

    def _finish(self, probe: FreshnessProbe, live_since: datetime) -> None:
        report, stack = self.report, self._launched.stack
        progress = self._progress()
        counted = reckon(self._client, stack.settings.produced_topic, self._record)
        report.events_produced, report.missing = counted.produced, counted.missing
        report.duplicated, report.unexplained = counted.duplicated, counted.unexplained
        report.raw_rows, report.dead_letters = progress.raw_rows, progress.dead_letters
        report.rows = progress.mart_rows
        report.freshness_p50_s, report.freshness_p95_s = probe.quantiles(self._record, live_since)
        cadence = self._cadence.summary()
        report.materializations = cadence.materializations
        report.check_evaluations = cadence.check_evaluations
        report.run_p95_s = cadence.end_to_end_p95
        report.runs_waiting_max = self._cadence.waiting_max
        report.alerts_sent = self._alerts()
        self._spike_alerted()

    def _spike_alerted(self) -> bool:
        item, began = self.report.spike_item, self._options.source.spike_began()
        if not item or not began:
            return False
        if not self._launched.stack.uses_slack_stand_in:
            self.report.spike_alerted = item in announced(self._client)
            return self.report.spike_alerted
        at = first_about(posted(self._launched.stack.slack_file), item, began)
        self.report.spike_alerted = at is not None
        if at:
            self.report.spike_to_alert_s = round((at - began).total_seconds(), 1)
        return self.report.spike_alerted

    def _alerts(self) -> int:
        stack = self._launched.stack
        return len(posted(stack.slack_file)) if stack.uses_slack_stand_in else told(self._client)

    def _job(self, name: str, arguments: tuple[str, ...]) -> RunningService:
        return self._launched.supervisor.start(self._launched.stack.job(name, *arguments))

    def _caught_up(self) -> bool:
        progress = self._progress()
        if progress.lag or progress.raw_rows + progress.dead_letters < produced(self._record):
            return False
        with mapped_errors():
            return not self._client.query(_BEHIND).result_rows[0][0]

    def _progress(self) -> Progress:
        return read_progress(self._client, self._launched.stack.settings)

    def _refuse_failure(self, job: RunningService) -> None:
        if job.exit_code:
            raise Permanent(f"{job.service.name} ended with code {job.exit_code}: {job.last_line()}")

    def _until(self, done: Callable[[], bool], seconds: float, what: str, *, fatal: bool = True) -> None:
        deadline = time.monotonic() + seconds
        while not self._is_so(done):
            if time.monotonic() > deadline:
                if fatal:
                    raise Permanent(
                        f"gave up after {seconds:.0f} s of waiting for {what}; see {self._launched.stack.logs}"
                    )
                return
            self._launched.supervisor.tick()
            self._cadence.sample()
            self._sample_memory()
            if time.monotonic() >= self._next_status:
                self._next_status = time.monotonic() + _STATUS_SECONDS
                self._is_so(self._print_status)
            time.sleep(_TICK_SECONDS)

    def _is_so(self, done: Callable[[], bool]) -> bool:
        try:
            return done()
        except RetryLater as error:  # a server that is away is started again by the supervisor
            self._say(f"waiting: {error}")
            return False

    def _sample_memory(self) -> None:
        sizes = self._launched.supervisor.memory()
        for name, size in sizes.items():
            self.report.memory_max_mb[name] = max(size, self.report.memory_max_mb.get(name, 0.0))
        self.report.memory_max_total_mb = max(round(sum(sizes.values()), 1), self.report.memory_max_total_mb)

    def _print_status(self) -> bool:
        progress, cadence = self._progress(), self._cadence.summary()
        ages = [f"{name} {age:.0f}s" for name, age in progress.mart_age_s.items() if age is not None]
        self._say(
            f"[{self._phase}] events in {produced(self._record):,} | raw {progress.raw_rows:,} | "
            f"dead letters {progress.dead_letters} | lag {progress.lag:,} | "
            f"newest in: {', '.join(ages) or 'none yet'} | "
            f"checks {cadence.check_evaluations} | runs {cadence.runs} | alerts {self._alerts()}"
        )
        return True

    def _addresses(self) -> None:
        settings = self._launched.stack.settings
        self._say(f"Dashboard: http://localhost:{settings.dashboard_port}")
        self._say(f"Dagster: http://localhost:{settings.dagster_port}")
        self._say(f"ClickHouse: http://localhost:{settings.clickhouse_port}/play")
        if self._launched.stack.uses_slack_stand_in:
            self._say(f"Slack (played locally): http://localhost:{self._launched.stack.slack_port}")


def produced(record: Path) -> int:
    """Return how many messages the producers say the broker acknowledged."""
    total = 0
    for path in record.rglob("produced.json"):
        try:
            state: dict[str, Any] = json.loads(path.read_text())
        except (OSError, json.JSONDecodeError):
            continue
        total += int(state.get("delivered", 0))
    return total
