from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts.event import EVENT_TYPE_WEIGHTS, FIELDS
from streaming.produce.encode import Encoder
from streaming.produce.experiments import ARMS
from streaming.produce.journeys import ADD_TO_CART, KINDS, PURCHASE
from streaming.produce.simulator import LiveStream, Shop, history, make_shop
from tests.unit.streaming.produce.shops import END, START, encoded


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() -> None:
    first, again, other = (encoded(make_shop(seed, 50, 20), 500).values for seed in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)


def test_live_gives_the_same_events_for_the_same_seed_however_they_are_asked_for(shop: Shop) -> None:
    whole = LiveStream(shop, 100).take(3_000)
    stream = LiveStream(shop, 100)
    parts = np.concatenate([stream.take(count) for count in (1, 0, 999, 1_500, 500)])
    assert (whole == parts).all()


def test_the_mix_of_event_types_is_the_contracts(sold: pl.DataFrame) -> None:
    total = sum(EVENT_TYPE_WEIGHTS.values())
    found = dict(sold["event_type"].value_counts(normalize=True).iter_rows())
    for name, weight in EVENT_TYPE_WEIGHTS.items():
        assert found[name] == pytest.approx(weight / total, rel=0.10), name


def test_nobody_buys_what_this_session_did_not_put_into_the_cart_before(sold: pl.DataFrame) -> None:
    key = ["session_id", "item_id"]
    carts = sold.filter(event_type="add_to_cart").group_by(key).agg(pl.col("event_time").min().alias("put"))
    bought = sold.filter(event_type="purchase").join(carts, on=key, how="left")
    assert bought.height > 1_000
    assert bought.select((pl.col("put") < pl.col("event_time")).fill_null(value=False).all()).item()


def test_searches_happen_on_their_search_page(sold: pl.DataFrame) -> None:
    searches = sold.filter(event_type="search")
    page = "https://shop.example.com/search?q=" + searches["search_query"].str.replace_all(" ", "+")
    assert searches["page_url"].equals(page.rename("page_url"))
    assert sold.filter(pl.col("event_type") != "search")["search_query"].null_count() == sold.height - searches.height


@given(count=st.integers(1, 3_000), hours=st.floats(0.001, 200))
@hypothesis_settings(deadline=None, max_examples=25)
def test_a_history_has_exactly_the_events_asked_for_inside_its_range(count: int, hours: float) -> None:
    start, end = END - timedelta(hours=hours), END
    times = np.concatenate([timed.times for timed in history(make_shop(3, 50, 15), start, end, count)])
    assert len(times) == count
    assert times.min() >= int(start.timestamp() * 1000) - 1
    assert times.max() < end.timestamp() * 1000


def test_events_of_a_batch_come_in_the_order_of_their_time(shop: Shop) -> None:
    for timed in history(shop, START, END, 150_000):
        assert (np.diff(timed.times) >= 0).all()


def test_the_evening_is_busier_than_the_night(sold: pl.DataFrame) -> None:
    by_hour = dict(sold.group_by(pl.col("event_time").dt.hour()).len().iter_rows())
    assert by_hour[20] > 3 * by_hour[3]


def test_history_and_live_sell_the_same_items_in_the_same_shares(shop: Shop) -> None:
    past = np.concatenate([timed.events for timed in history(shop, START, END, 200_000)])
    present = LiveStream(shop, 500).take(200_000)
    shares = [np.bincount(events["item"][events["item"] >= 0], minlength=200) for events in (past, present)]
    first, second = (counts / counts.sum() for counts in shares)
    assert np.abs(first - second).sum() / 2 < 0.05


def test_item_popularity_follows_zipf(shop: Shop) -> None:
    share = np.sort(shop.catalogue.share)[::-1]
    assert share[0] / share[9] == pytest.approx(10**1.05)


def test_each_variation_has_the_effect_the_ground_truth_names() -> None:
    shop = make_shop(seed=11, users=40_000, items=50)
    events = np.concatenate([timed.events for timed in history(shop, START, END, 2_000_000)])
    arms = shop.population.arm[events["user"]]
    rates = {}
    for number, (experiment, variation) in enumerate(ARMS):
        kinds = np.bincount(events["kind"][arms == number], minlength=len(KINDS))
        rates[experiment, variation] = kinds[PURCHASE] / kinds[ADD_TO_CART]
    base = np.mean([rate for (_, variation), rate in rates.items() if variation.effect == 0])
    for (_, variation), rate in rates.items():
        assert rate / base - 1 == pytest.approx(variation.effect, abs=0.06), variation.name


def test_the_exposure_is_the_first_page_view_of_each_session_of_a_user_in_an_experiment(
    sold: pl.DataFrame,
) -> None:
    exposed = sold.filter(pl.col("experiment_name").is_not_null())
    assert exposed["session_id"].is_unique().all()
    assert (exposed["event_type"] == "page_view").all()
    assert exposed.group_by("user_id").agg(pl.col("experiment_variation").n_unique())["experiment_variation"].max() == 1


def test_no_pause_inside_a_session_reaches_thirty_minutes(sold: pl.DataFrame) -> None:
    gaps = sold.sort("event_time").select(pl.col("event_time").diff().over("session_id"))["event_time"]
    assert timedelta(minutes=10) < gaps.max() < timedelta(minutes=30)


def test_event_ids_are_unique_and_version_seven_and_carry_the_event_time(shop: Shop) -> None:
    record = encoded(shop, 50_000).record
    assert record["event_id"].is_unique().all()
    for text, moment in record.head(200).select("event_id", "event_time").iter_rows():
        found = uuid.UUID(text)
        assert (found.version, found.variant) == (7, uuid.RFC_4122)
        assert datetime.fromtimestamp((found.int >> 80) / 1000, UTC) == moment


def test_the_json_says_what_the_record_says_and_money_keeps_its_digits(shop: Shop) -> None:
    messages = encoded(shop, 5_000)
    for key, value, row in zip(messages.keys, messages.values, messages.record.iter_rows(named=True), strict=True):
        event = msgspec.json.decode(value or b"", type=dict[str, msgspec.Raw])
        assert set(event) <= set(FIELDS)
        price = row.pop("price")
        assert (bytes(event["price"]).decode() if "price" in event else None) == price
        assert price is None or Decimal(price).as_tuple().exponent == -2
        plain = msgspec.json.decode(value or b"")
        assert datetime.fromisoformat(plain["timestamp"]) == row.pop("event_time")
        assert key.decode() == plain["user_id"]
        assert {name: text for name, text in row.items() if text} == {
            name: plain[name] for name in plain if name not in {"timestamp", "properties", "price"}
        }


def test_an_events_json_is_about_four_hundred_bytes(shop: Shop) -> None:
    sizes = [len(value or b"") for value in encoded(shop, 20_000).values]
    assert 300 < sum(sizes) / len(sizes) < 480


def test_encoding_is_independent_of_what_was_encoded_before(shop: Shop) -> None:
    encoder = Encoder(shop)
    first, second = list(history(shop, START, END, 100_000))[:2]
    alone = Encoder(shop).encode(second).values
    encoder.encode(first)
    assert encoder.encode(second).values == alone
