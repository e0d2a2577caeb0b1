"""What the exporter says of runs, checks, sensors, daemons and builds is what Dagster's storage holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from dagster._daemon.types import DaemonHeartbeat

from contracts.clock import SystemClock
from contracts.errors import RetryLater
from orchestration.home import open_home, prepare_home
from orchestration.metrics.from_dagster import DagsterLook
from tests.ticks import ticked

VERDICTS = {"passed": True}
Found = dict[str, dict[tuple[str, ...], float]]


@dg.asset(key=["marts", "fct_item"])
def fct_item() -> None:
    pass


@dg.asset_check(asset=fct_item)
def enough() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(**VERDICTS)


@dg.asset
def broken() -> None:
    raise RuntimeError("the disk is full")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dagster")
    prepare_home(folder)
    return folder


@pytest.fixture(scope="module")
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture
def look(home: Path) -> Iterator[DagsterLook]:
    """A look that counts from now on."""
    look = DagsterLook(lambda: open_home(home), SystemClock())
    yield look
    look.close()


def samples(look: DagsterLook) -> Found:
    found: Found = {}
    for one in look():
        for sample in one.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def grown(counter: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """A counter without its zeros."""
    return {labels: value for labels, value in counter.items() if value}


def run(instance: dg.DagsterInstance, *assets: Any) -> None:
    dg.materialize(list(assets), instance=instance, raise_on_error=False)


def test_each_run_that_ends_is_counted_once_with_its_time(instance: dg.DagsterInstance, look: DagsterLook) -> None:
    look()
    run(instance, fct_item, enough)
    ends = samples(look)["millrace_orchestration_run_ends_total"]
    assert grown(ends) == {("__ephemeral_asset_job__", "SUCCESS"): 1}
    run(instance, broken)
    run(instance, fct_item, enough)
    for _ in range(2):
        found = samples(look)
        ends = {status: number for (_, status), number in grown(found["millrace_orchestration_run_ends_total"]).items()}
        assert ends == {"SUCCESS": 2, "FAILURE": 1}
        assert list(found["millrace_orchestration_run_seconds_count"].values()) == [3]
        assert 0 < sum(found["millrace_orchestration_run_seconds_sum"].values()) < 60
        assert list(found["millrace_orchestration_run_wait_seconds_count"].values()) == [3]


def test_what_ended_before_the_exporter_began_is_not_counted(instance: dg.DagsterInstance, home: Path) -> None:
    run(instance, fct_item)
    late = DagsterLook(lambda: open_home(home), SystemClock())
    assert "millrace_orchestration_run_ends_total" not in samples(late)
    late.close()


def test_the_latest_evaluation_of_a_check_counts(
    instance: dg.DagsterInstance, look: DagsterLook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VERDICTS, "passed", False)
    run(instance, fct_item, enough)
    found = samples(look)
    assert found["millrace_checks_latest"] == {("passed",): 0, ("failed",): 1}
    assert found["millrace_checks_failing"] == {("marts.fct_item", "enough"): 1}
    monkeypatch.setitem(VERDICTS, "passed", True)
    run(instance, fct_item, enough)
    found = samples(look)
    assert found["millrace_checks_latest"] == {("passed",): 1, ("failed",): 0}
    assert "millrace_checks_failing" not in found
    assert 0 <= found["millrace_checks_newest_evaluation_age_seconds"][()] < 60
    assert 0 <= found["millrace_marts_build_age_seconds"][("fct_item",)] < 60


def test_runs_that_have_not_ended_are_counted_by_status(instance: dg.DagsterInstance, look: DagsterLook) -> None:
    waiting = instance.create_run_for_job(dg.define_asset_job("marts", [fct_item]).resolve(asset_graph=_graph()))
    found = samples(look)
    instance.delete_run(waiting.run_id)
    assert found["millrace_orchestration_runs"] == {("marts", "NOT_STARTED"): 1}
    assert found["millrace_orchestration_run_ends_total"]["marts", "FAILURE"] == 0


def _graph() -> Any:
    return dg.Definitions(assets=[fct_item]).resolve_asset_graph()


def test_ticks_and_signs_of_life_are_those_of_the_daemon(instance: dg.DagsterInstance, look: DagsterLook) -> None:
    now, failed, skipped = datetime.now(UTC), TickStatus.FAILURE, TickStatus.SKIPPED
    ticked(instance, "silent", now - timedelta(hours=1), skipped)
    look()
    ticked(instance, "raw_rows", now + timedelta(seconds=4), failed, skipped, failed)
    instance.add_daemon_heartbeat(DaemonHeartbeat((now - timedelta(minutes=9)).timestamp(), "SENSOR", "a", []))
    for _ in range(2):
        found = samples(look)
        ticks = found["millrace_orchestration_sensor_ticks_total"]
        assert grown(ticks) == {("raw_rows", "FAILURE"): 2, ("raw_rows", "SKIPPED"): 1}
        assert ticks["silent", "FAILURE"] == 0
        assert 530 < found["millrace_orchestration_daemon_age_seconds"]["SENSOR",] < 600
        ages = found["millrace_orchestration_sensor_tick_age_seconds"]
        assert (ages["raw_rows",] < 60, ages["silent",] > 3_500) == (True, True)


def test_without_dagster_the_look_says_what_to_do(tmp_path: Path) -> None:
    look = DagsterLook(lambda: open_home(tmp_path / "none"), SystemClock())
    with pytest.raises(RetryLater, match=r"there is no Dagster in .*none; start it, or set DAGSTER_HOME"):
        look()
    assert not (tmp_path / "none").exists()


def test_a_broken_storage_is_a_sentence(home: Path, tmp_path: Path) -> None:
    prepare_home(tmp_path / "broken")
    (tmp_path / "broken" / "events" / "event_log.db").write_bytes(b"no database " * 1000)
    look = DagsterLook(lambda: open_home(tmp_path / "broken"), SystemClock())
    with pytest.raises(RetryLater, match="Dagster's storage cannot be read"):
        look()
