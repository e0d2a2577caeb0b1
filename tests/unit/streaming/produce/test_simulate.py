from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from contracts.clock import ManualClock
from contracts.errors import UserError
from contracts.settings import Settings
from streaming.kafka.topics import ensure_topic
from streaming.produce.options import FaultOptions, SimulatorOptions, SpikeOptions
from streaming.produce.record import Summary
from streaming.produce.simulate import Surroundings, simulate

SMALL = {"users": 300, "items": 40}


@pytest.fixture
def unpaced(settings: Settings) -> Settings:
    """Without a consumer: small runs fit into the broker, and the topic exists already."""
    ensure_topic(settings)
    return settings.model_copy(update={"kafka": "real"})


def run(settings: Settings, options: SimulatorOptions, folder: Path, around: Surroundings) -> pl.DataFrame:
    """Simulate; return the record, ordered as produced within each user."""
    simulate(settings, options, folder, folder / "truth.json", around)
    return pl.read_parquet(folder / "*.parquet").sort("event_time")


def test_live_meets_its_rate_in_every_second_and_stamps_the_present(unpaced: Settings, tmp_path: Path) -> None:
    clock = ManualClock()
    began = clock.now()
    record = run(unpaced, SimulatorOptions(rate=200, duration=10, **SMALL), tmp_path, Surroundings(clock))
    assert record.height == 2_000
    by_second = record.group_by((pl.col("event_time") - began).dt.total_seconds()).len()
    assert by_second["len"].to_list() == [200] * 10


def test_live_events_leave_within_half_a_second_of_their_time(unpaced: Settings, tmp_path: Path) -> None:
    clock = ManualClock()
    ages = []

    def progress(summary: Summary) -> None:
        if summary.last_event_at and summary.phase == "live":
            ages.append(clock.now() - datetime.fromisoformat(summary.last_event_at))

    run(unpaced, SimulatorOptions(rate=50, duration=5, **SMALL), tmp_path, Surroundings(clock, progress))
    assert timedelta(0) <= min(ages)
    assert max(ages) < timedelta(seconds=0.5)


def test_after_a_stall_live_events_still_carry_the_present(unpaced: Settings, tmp_path: Path) -> None:
    clock = ManualClock()
    stalls = iter([30.0])

    def progress(summary: Summary) -> None:
        if summary.phase == "live" and summary.events_produced >= 100:
            clock.sleep(next(stalls, 0.0))

    options = SimulatorOptions(rate=100, count=4_000, **SMALL)
    record = run(unpaced, options, tmp_path, Surroundings(clock, progress))
    seconds = (record["event_time"] - record["event_time"].min()).dt.total_seconds()
    assert record.height == 4_000
    assert seconds.is_between(5, 28).sum() == 0


def test_history_ends_where_live_starts_without_a_gap(unpaced: Settings, tmp_path: Path) -> None:
    clock = ManualClock()
    began = clock.now()
    loading = iter([3.0])
    around = Surroundings(clock, lambda _: clock.sleep(next(loading, 0.0)))
    options = SimulatorOptions(history_days=1, history_events=1_000, rate=100, duration=2, **SMALL)
    record = run(unpaced, options, tmp_path, around)
    assert record.filter(pl.col("event_time") < began).height == 1_000
    recent = record.filter(pl.col("event_time") >= began)["event_time"]
    # Three seconds were spent loading: their events are made up for, then come two seconds of live.
    assert recent.len() == pytest.approx(500, abs=25)
    assert recent.diff().max() < timedelta(seconds=0.2)
    live = datetime.fromisoformat(json.loads((tmp_path / "produced.json").read_text())["live_started_at"])
    assert timedelta(seconds=2.7) < live - began <= timedelta(seconds=3.1)


def test_the_spike_sells_exactly_what_the_ground_truth_says(unpaced: Settings, tmp_path: Path) -> None:
    options = SimulatorOptions(rate=20, duration=8, spike=SpikeOptions(2, 4, 7), **SMALL)
    record = run(unpaced, options, tmp_path, Surroundings(ManualClock()))
    truth = json.loads((tmp_path / "truth.json").read_text())["spike"]
    assert truth["extra_purchases"] == 28
    window = pl.col("event_time").is_between(*(datetime.fromisoformat(truth[end]) for end in ("start", "end")))
    sales = record.filter(event_type="purchase", item_id=truth["item_id"]).filter(window)
    assert sales.height == pytest.approx(28, abs=1)
    assert record.height == 160 + 3 * 28
    assert set(sales["price"]) == {truth["price"]}


def test_sped_up_time_ends_now_and_never_reaches_into_the_future(unpaced: Settings, tmp_path: Path) -> None:
    clock = ManualClock()
    end = clock.now() + timedelta(seconds=4)
    options = SimulatorOptions(rate=100, duration=4, speed_up=3_600, **SMALL)
    record = run(unpaced, options, tmp_path, Surroundings(clock))
    assert record["event_time"].max() <= end
    assert record["event_time"].max() - record["event_time"].min() > timedelta(hours=3.9)


def test_a_request_to_stop_leaves_nothing_unrecorded(unpaced: Settings, tmp_path: Path) -> None:
    clock = ManualClock()
    stopped = lambda: clock.monotonic() >= 2  # noqa: E731
    summary = simulate(
        unpaced, SimulatorOptions(rate=100, **SMALL), tmp_path, None, Surroundings(clock, stopped=stopped)
    )
    assert summary.phase == "done"
    assert summary.delivered == summary.events_produced == pl.read_parquet(tmp_path / "*.parquet").height > 100


def test_the_truth_file_names_the_experiments_and_counts_the_faults(unpaced: Settings, tmp_path: Path) -> None:
    options = SimulatorOptions(rate=500, duration=2, faults=FaultOptions(malformed=0.1), **SMALL)
    record = run(unpaced, options, tmp_path, Surroundings(ManualClock()))
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["faults_delivered"] == {"malformed": record.filter(fault="malformed").height}
    assert truth["experiments"]["checkout_button"]["green"]["relative_effect_on_cart_to_purchase"] == 0.25


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rate": 0}, "--rate"),
        ({"users": 0}, "--users"),
        ({"history_days": 1}, "--history-events"),
        ({"speed_up": 60}, "--duration"),
        ({"faults": FaultOptions(late=1.5)}, "--late"),
        ({"count": -1}, "--count"),
        ({"spike": SpikeOptions(after=-1)}, "--spike-after"),
        ({"rate": float("nan")}, "--rate"),
    ],
)
def test_an_option_out_of_range_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        SimulatorOptions(**change).checked()
