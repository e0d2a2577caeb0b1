"""The real path: a daemon with the project's dagster.yaml and launcher, ClickHouse, the Slack stand-in.

One daemon serves the whole file; the tests stand in the order of a day: it works, something is remarkable,
it is over, a model breaks, a run is stopped, a run's process dies, the daemon dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TypeVar

import dagster as dg
import psutil
import pytest
from clickhouse_connect.driver.client import Client
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from contracts.clickhouse import connect
from contracts.names import DBT_JOB, ITEM_SALES_CHECK, MARTS
from contracts.settings import Settings
from local.paths import ROOT
from local.ports import free_ports
from local.servers import answers_http
from local.service import RunningService, Service
from orchestration.report import cadence_summary
from orchestration.worker import holder, lock_path
from tests.patience import WAIT_SECONDS

pytestmark = [pytest.mark.clickhouse, pytest.mark.slow]

T = TypeVar("T")
CHECK = dg.AssetCheckKey(dg.AssetKey(["marts", "fct_item_hourly"]), ITEM_SALES_CHECK)

SALES = """
INSERT INTO raw.events
    (event_id, event_type, event_time, user_id, item_id, item_category, price, quantity,
     kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at)
SELECT generateUUIDv4(), 'purchase', {at:DateTime64(6, 'UTC')}, toString(number % 50),
    {item:String}, 'shoes', 10, 1, 't', 0, {offset:UInt64} + number, now64(3), now64(3)
FROM numbers({count:UInt64})
"""


@dataclass
class Stack:
    """What the tests of this file look at."""

    home: Path
    client: Client
    instance: dg.DagsterInstance
    daemon: RunningService
    slack: Path
    opened: datetime = field(default_factory=lambda: datetime.now(UTC))  # one hour, even over a full hour
    offset: int = 0

    def sell(self, item: str, count: int, hours_ago: float = 0) -> None:
        at = self.opened - timedelta(hours=hours_ago)
        values = {"at": at, "item": item, "offset": self.offset, "count": count}
        self.client.command(SALES, parameters=values)
        self.offset += count

    def run_after(self, moment: datetime, *statuses: dg.DagsterRunStatus) -> dg.DagsterRun:
        wanted = dg.RunsFilter(job_name=DBT_JOB, statuses=list(statuses), created_after=moment)
        return eventually(lambda: next(iter(self.instance.get_runs(wanted, limit=1)), None))

    def ended(self, run: dg.DagsterRun) -> dg.DagsterRun:
        return eventually(lambda: one if (one := self.instance.get_run_by_id(run.run_id)).is_finished else None)

    def messages(self, method: str, text: str) -> list[dict[str, Any]]:
        lines = self.slack.read_text().splitlines() if self.slack.exists() else []
        calls = map(json.loads, lines)
        return [one for one in calls if one["method"] == method and text in one["text"]]

    def evaluations(self) -> list[dg.AssetCheckEvaluation]:
        records = self.instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=1000)
        found = [one.event.dagster_event.event_specific_data for one in records if one.event]
        return [one for one in found if isinstance(one, dg.AssetCheckEvaluation)]  # the latest first

    def another_evaluation(self) -> None:
        before = len(self.evaluations())
        eventually(lambda: len(self.evaluations()) > before)


def eventually(look: Callable[[], T | None], seconds: float = WAIT_SECONDS) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


@pytest.fixture(scope="module")
def stack(clickhouse_server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("orchestration")
    client = connect(clickhouse_server)
    _forget_everything(client)
    dagster_home = home / "dagster"
    dagster_home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", dagster_home)
    (slack_port,) = free_ports(1)
    file = home / "slack.jsonl"
    command = (sys.executable, "-m", "local.slack_stand_in", "--port", str(slack_port), "--file", str(file))
    url = f"http://127.0.0.1:{slack_port}"
    slack = RunningService(Service("slack", command, lambda: answers_http(url)), home)
    daemon = RunningService(_daemon(clickhouse_server, home, f"{url}/api/"), home)
    slack.start()
    try:
        slack.wait_ready()
        with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
            # After the instance, which makes the storage's tables: of two that make them at once one fails.
            daemon.start()
            yield Stack(home, client, instance, daemon, file)
    finally:
        daemon.stop()
        slack.stop()
        _forget_everything(client)


def _daemon(settings: Settings, home: Path, slack_url: str) -> Service:
    environment = {
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "MILLRACE_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "SLACK_API_URL": slack_url,
    }
    command = (sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml")
    return Service("daemon", command, lambda: True, environment)


def _forget_everything(client: Client) -> None:
    for database in ("staging", "intermediate", "marts"):
        for (name,) in client.query("SHOW TABLES FROM {d:Identifier}", parameters={"d": database}).result_rows:
            client.command(f"DROP TABLE IF EXISTS {database}.{name} SYNC")
    for table in ("raw.events", "raw.dead_letters", "ops.model_watermarks", "ops.model_windows"):
        client.command(f"TRUNCATE TABLE {table}")


def test_landed_rows_become_marts_with_row_counts_and_columns(stack: Stack) -> None:
    for item in range(20):
        stack.sell(f"i{item}", 50, hours_ago=2)
        stack.sell(f"i{item}", 5)
    record = eventually(lambda: stack.instance.get_latest_materialization_event(dg.AssetKey(["marts", "fct_item"])))
    metadata = record.asset_materialization.metadata
    assert metadata["dagster/row_count"].value == 20
    assert "item_id" in [column.name for column in metadata["dagster/column_schema"].schema.columns]
    for name in MARTS:
        key = dg.AssetKey(["marts", name])
        assert eventually(lambda key=key: stack.instance.get_latest_materialization_event(key))


def test_the_cadence_can_be_read_from_the_instance(stack: Stack) -> None:
    stack.ended(stack.run_after(datetime(2020, 1, 1, tzinfo=UTC)))
    summary = cadence_summary(stack.instance, datetime.now(UTC) - timedelta(minutes=5))
    assert summary.runs >= 1
    assert summary.runs_failed == 0
    assert summary.materializations >= len(MARTS)
    assert summary.check_evaluations >= 1
    assert summary.run_p50 is not None


def test_a_planted_spike_is_one_message_across_many_evaluations(stack: Stack) -> None:
    stack.sell("i7", 60)
    eventually(lambda: stack.messages("chat.postMessage", ITEM_SALES_CHECK))
    for _ in range(2):
        stack.sell("i1", 1)
        stack.another_evaluation()
    failed = [one for one in stack.evaluations() if not one.passed]
    assert len(failed) >= 3
    assert "| i7 | shoes |" in failed[0].metadata["offending"].value
    (message,) = stack.messages("chat.postMessage", ITEM_SALES_CHECK)
    assert "Item i7 sold 65" in message["text"]
    assert stack.messages("chat.update", ITEM_SALES_CHECK) == []


def test_when_the_spike_is_explained_the_message_turns_green(stack: Stack) -> None:
    for item in range(20):
        stack.sell(f"i{item}", 80 if item != 7 else 10)
    (edited,) = eventually(lambda: stack.messages("chat.update", f"Resolved: {ITEM_SALES_CHECK}"))
    (posted,) = stack.messages("chat.postMessage", ITEM_SALES_CHECK)
    assert edited["ts"] == posted["ts"]


def test_a_broken_model_fails_its_run_with_the_reason_and_the_next_run_works(stack: Stack) -> None:
    moment = datetime.now(UTC)
    stack.client.command("ALTER TABLE intermediate.int_events ADD CONSTRAINT broken CHECK user_id = 'nobody'")
    try:
        stack.sell("i1", 1)
        failed = stack.run_after(moment, dg.DagsterRunStatus.FAILURE)
    finally:
        stack.client.command("ALTER TABLE intermediate.int_events DROP CONSTRAINT broken")
    (step,) = stack.instance.all_logs(failed.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    failure = step.dagster_event.step_failure_data.user_failure_data
    assert "broken" in failure.description
    assert failure.metadata
    assert eventually(lambda: stack.messages("chat.postMessage", f"job {DBT_JOB}"))
    stack.sell("i1", 1)
    stack.run_after(failed_at(stack, failed), dg.DagsterRunStatus.SUCCESS)
    assert eventually(lambda: stack.messages("chat.update", f"Resolved: job {DBT_JOB}"))


def failed_at(stack: Stack, run: dg.DagsterRun) -> datetime:
    return stack.instance.get_run_record_by_id(run.run_id).create_timestamp


def test_a_run_can_be_terminated_from_another_process(stack: Stack) -> None:
    with _a_run_that_waits(stack) as run:
        assert stack.instance.run_launcher.terminate(run.run_id)
        assert stack.ended(run).status is dg.DagsterRunStatus.CANCELED
    eventually(lambda: not lock_path(stack.home / "dagster", run.run_id).exists())


def test_a_run_whose_process_dies_is_marked_failed_at_once(stack: Stack) -> None:
    with _a_run_that_waits(stack) as run:
        os.kill(holder(lock_path(stack.home / "dagster", run.run_id)).pid, signal.SIGKILL)
        assert stack.ended(run).status is dg.DagsterRunStatus.FAILURE
    last = stack.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE)[-1]
    assert "SIGKILL" in last.message


def test_nothing_is_left_when_the_daemon_is_killed(stack: Stack) -> None:
    family = psutil.Process(stack.daemon.pid).children(recursive=True)
    warm = [one for one in family if _alive(one) and "orchestration.worker" in one.cmdline()]
    assert warm
    with _a_run_that_waits(stack) as run:
        worker = holder(lock_path(stack.home / "dagster", run.run_id))
        os.kill(stack.daemon.pid, signal.SIGKILL)
        eventually(lambda: not any(map(_alive, warm)))
        eventually(lambda: not psutil.pid_exists(worker.pid))


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@contextmanager
def _a_run_that_waits(stack: Stack) -> Iterator[dg.DagsterRun]:
    """Hold dbt's lock, so that the next run waits in its dbt step until it is let go."""
    with (stack.home / "dbt" / "run.lock").open("w") as lock:
        eventually(lambda: _locked_between_runs(stack, lock))
        stack.sell("i1", 1)
        run = stack.run_after(datetime(2020, 1, 1, tzinfo=UTC), dg.DagsterRunStatus.STARTED)
        started = dg.DagsterEventType.STEP_START
        eventually(lambda: stack.instance.all_logs(run.run_id, of_type=started))
        yield run


def _locked_between_runs(stack: Stack, lock: IO[str]) -> bool:
    """Take the lock if no run is in flight: one that was would end, or would wait in place of the next one."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    in_flight = dg.RunsFilter(job_name=DBT_JOB, statuses=[*NOT_FINISHED_STATUSES])
    if stack.instance.get_runs(in_flight, limit=1):
        fcntl.flock(lock, fcntl.LOCK_UN)
        return False
    return True
