from __future__ import annotations

import msgspec
import polars as pl
import pytest

from streaming.produce.encode import Encoder
from streaming.produce.faults import BREAKAGES, FaultyEncoder
from streaming.produce.messages import Messages
from streaming.produce.options import FaultOptions
from streaming.produce.simulator import Shop, Timed, history, make_shop
from tests.unit.streaming.produce.shops import END, START

ALL = FaultOptions(late=0.02, late_hours=5, duplicate=0.03, malformed=0.01, skew=0.04, skew_minutes=7)


@pytest.fixture(scope="module")
def timed() -> Timed:
    return next(iter(history(make_shop(7, 2_000, 200), START, END, 60_000)))


def faulty(shop: Shop, timed: Timed, options: FaultOptions) -> Messages:
    return FaultyEncoder(Encoder(shop), options, shop.seed, 2_000).encode(timed)


def test_without_faults_nothing_changes(shop: Shop, timed: Timed) -> None:
    assert faulty(shop, timed, FaultOptions()).values == Encoder(shop).encode(timed).values


def test_each_fault_comes_in_the_share_asked_for_and_is_named_in_the_record(shop: Shop, timed: Timed) -> None:
    messages = faulty(shop, timed, ALL)
    counts = dict(messages.record["fault"].value_counts().iter_rows())
    size = len(timed.events)
    assert counts["late"] == pytest.approx(size * 0.02, rel=0.15)
    assert counts["duplicate"] == pytest.approx(size * 0.03, rel=0.15)
    assert counts["malformed"] == pytest.approx(size * 0.01, rel=0.15)
    assert 0 < counts["skewed"] < size * 0.1
    assert len(messages) == size + counts["duplicate"]


def test_a_duplicate_has_the_bytes_and_the_key_of_a_good_event_before_it(shop: Shop, timed: Timed) -> None:
    messages = faulty(shop, timed, ALL)
    size = len(timed.events)
    assert (messages.record["fault"][size:] == "duplicate").all()
    originals = {value: key for key, value in zip(messages.keys[:size], messages.values[:size], strict=True)}
    for key, value in zip(messages.keys[size:], messages.values[size:], strict=True):
        assert originals[value] == key


def test_late_events_lie_hours_back_and_wrong_clocks_run_minutes_ahead(shop: Shop, timed: Timed) -> None:
    record = faulty(shop, timed, ALL).record.head(len(timed.events))
    true = Encoder(shop).encode(timed).record["event_time"]
    moved = (record["event_time"] - true).dt.total_minutes()
    assert set(moved.filter(record["fault"] == "late")) == {-300}
    assert set(moved.filter(record["fault"] == "skewed")) == {7}
    assert set(moved.filter(record["fault"] == "")) == {0}


def test_wrong_clocks_belong_to_users_not_to_events(shop: Shop, timed: Timed) -> None:
    record = faulty(shop, timed, FaultOptions(skew=0.1)).record
    by_user = record.group_by("user_id").agg(pl.col("fault").n_unique(), pl.col("fault").first().alias("one"))
    assert by_user["fault"].max() == 1
    assert (by_user["one"] == "skewed").mean() == pytest.approx(0.1, abs=0.03)


def test_malformed_events_are_broken_in_every_way_and_leave_no_fields_in_the_record(shop: Shop, timed: Timed) -> None:
    messages = faulty(shop, timed, ALL)
    broken = messages.record.filter(fault="malformed")
    assert set(broken["malformed_as"]) == set(BREAKAGES)
    assert all(broken[name].null_count() == broken.height for name in ("event_id", "user_id", "event_time"))


@pytest.mark.parametrize("how", BREAKAGES)
def test_a_malformed_event_cannot_be_read(how: str, shop: Shop, timed: Timed) -> None:
    good = Encoder(shop).encode(timed).values[0]
    assert is_valid(good)
    assert not is_valid(BREAKAGES[how](good or b""))


def is_valid(value: bytes | None) -> bool:
    """What any consumer would ask of an event, written down once more and differently."""
    try:
        event = msgspec.json.decode((value or b"").decode("utf-8"), type=Needed)
    except (UnicodeDecodeError, msgspec.DecodeError):
        return False
    return event.timestamp[:2] == "20"


class Needed(msgspec.Struct):
    event_id: str
    event_type: str
    timestamp: str
    user_id: str
