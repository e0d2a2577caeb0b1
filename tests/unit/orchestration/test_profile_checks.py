"""Drift, shares, values, volume and bots, from profiles made by hand: five weeks of a shop, and one hour to judge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from contracts.settings import Settings
from orchestration.checks.profile_shifts import (
    _BOTS,
    _SHARES,
    _VOLUME,
    bot_series,
    share_series,
    shift_rule,
    values_verdict,
    volume_series,
)
from orchestration.checks.profiles import SCHEMA
from orchestration.checks.schema_drift import changes, drift_verdict
from orchestration.checks.segments import segments_verdict

HOUR = datetime(2026, 5, 4, 13, tzinfo=UTC)
RULE = shift_rule(Settings(_env_file=None))
Row = tuple[datetime, str, str, str, int, int]


def an_hour(at: datetime, clicks: int, views: int, seed: int) -> list[Row]:
    """Clicks name their element always and 30 % of them an item; views have a price tag as a number."""
    random = np.random.default_rng(seed)
    return [
        (at, "click", "", "field", clicks, 400),
        (at, "click", "element_id", "field", clicks, 50),
        (at, "click", "item_id", "field", int(random.binomial(clicks, 0.3)), 80),
        (at, "click", "@bot", "field", int(random.binomial(clicks, 0.05)), 0),
        (at, "view", "", "field", views, 500),
        (at, "view", "item_id", "field", views, 90),
        (at, "view", "@bot", "field", int(random.binomial(views, 0.05)), 0),
        (at, "view", "properties.tag", "number", views // 2, 7),
    ]


@cache
def past(weeks: int = 4) -> tuple[Row, ...]:
    random = np.random.default_rng(9)
    rows: list[Row] = []
    for ago in range(1, weeks * 168):
        at = HOUR - timedelta(hours=ago)
        level = 1.0 + 0.5 * np.sin(at.hour / 24 * 2 * np.pi)
        rows += an_hour(at, int(random.poisson(2000 * level)), int(random.poisson(4000 * level)), ago)
    return tuple(rows)


def profiles(*now: Row, weeks: int = 4) -> pl.DataFrame:
    return pl.DataFrame([*past(weeks), *now], schema=SCHEMA, orient="row")


def judged(**changed: Any) -> pl.DataFrame:
    """The judged hour as all others, but for the fields named `type__field` (with `_` for its name as a whole)."""
    level = 1.0 + 0.5 * np.sin(HOUR.hour / 24 * 2 * np.pi)
    rows = an_hour(HOUR, int(2000 * level), int(4000 * level), 0)
    rows = [
        (at, kind, field, value, changed.get(f"{kind}__{field.lstrip('@')}", filled), distinct)
        for at, kind, field, value, filled, distinct in rows
    ]
    return profiles(*rows)


def names(frame: pl.DataFrame) -> list[tuple[str, str, str]]:
    return [(change, kind, field) for kind, field, _, change, _ in changes(frame, HOUR).rows()]


def test_an_ordinary_hour_passes_every_check() -> None:
    frame = judged()
    assert drift_verdict(frame, HOUR).passed
    assert values_verdict(frame, HOUR).passed
    for subject, made in ((_SHARES, share_series), (_BOTS, bot_series), (_VOLUME, volume_series)):
        result = segments_verdict(subject, made(frame, HOUR), RULE)
        assert result.passed, result.description
        assert "Not enough" not in result.description


def test_a_new_property_type_and_event_type_are_told_and_learned_in_the_next_hour() -> None:
    new: tuple[Row, ...] = (
        (HOUR, "view", "properties.colour", "string", 30, 3),
        (HOUR, "wish", "", "field", 40, 9),
        (HOUR, "wish", "item_id", "field", 40, 9),
        (HOUR, "view", "properties.stray", "string", 4, 1),
    )
    frame = pl.concat([judged(), pl.DataFrame(new, schema=SCHEMA, orient="row")])
    assert names(frame) == [("new", "wish", ""), ("new", "view", "properties.colour")]
    result = drift_verdict(frame, HOUR)
    assert not result.passed
    assert result.metadata["offending_items"].value == ["new wish", "new view.properties.colour"]
    following = [(HOUR + timedelta(hours=1), *row[1:]) for row in new]
    later = pl.concat([frame, pl.DataFrame(following, schema=SCHEMA, orient="row")])
    assert not [one for one in changes(later, HOUR + timedelta(hours=1)).rows() if one[3] == "new"]


def test_a_property_whose_values_change_their_type_is_new_and_missed() -> None:
    frame = judged(**{"view__properties.tag": 0})
    frame = pl.concat(
        [frame, pl.DataFrame([(HOUR, "view", "properties.tag", "string", 900, 7)], schema=SCHEMA, orient="row")]
    )
    found = [(change, value) for _, _, value, change, _ in changes(frame, HOUR).rows()]
    assert found == [("missed", "number"), ("new", "string")]


def test_a_field_and_an_event_type_that_vanish_are_missed_once_each() -> None:
    assert names(judged(click__item_id=0)) == [("missed", "click", "item_id")]
    gone = judged().filter((pl.col("hour") < HOUR) | (pl.col("event_type") != "view"))
    result = drift_verdict(gone, HOUR)
    assert result.metadata["offending_items"].value == ["missed view"]


@pytest.mark.parametrize(
    ("changed", "segment"),
    [({"click__element_id": 1500}, "click.element_id missing"), ({"click__item_id": 100}, "click.item_id")],
)
def test_a_field_that_is_missing_more_often_is_told(changed: dict[str, int], segment: str) -> None:
    result = segments_verdict(_SHARES, share_series(judged(**changed), HOUR), RULE)
    assert result.metadata["offending_items"].value == [segment]


def test_many_more_values_than_in_hours_alike_are_told() -> None:
    frame = judged().with_columns(
        distinct_values=pl.when((pl.col("hour") == HOUR) & (pl.col("field") == "element_id"))
        .then(900)
        .otherwise("distinct_values")
    )
    result = values_verdict(frame, HOUR)
    assert result.metadata["offending_items"].value == ["click.element_id"]
    assert (result.metadata["observed"].value, result.metadata["expected"].value) == (900, 50)


@pytest.mark.parametrize("events", [0, 5000])
def test_volume_is_compared_with_the_same_hour_of_earlier_weeks(events: int) -> None:
    result = segments_verdict(_VOLUME, volume_series(judged(click__=events), HOUR), RULE)
    assert result.metadata["offending_items"].value == ["click"]
    assert result.metadata["expected"].value == pytest.approx(2000 * (1 + 0.5 * np.sin(13 / 24 * 2 * np.pi)), rel=0.1)


def test_a_night_is_no_drop_in_volume() -> None:
    night = HOUR.replace(hour=3)
    frame = judged().filter(pl.col("hour") <= night)
    assert segments_verdict(_VOLUME, volume_series(frame, night), RULE).passed


def test_more_bots_are_told_and_fewer_are_not() -> None:
    more = segments_verdict(_BOTS, bot_series(judged(click__bot=800), HOUR), RULE)
    assert "click" in more.metadata["offending_items"].value
    assert segments_verdict(_BOTS, bot_series(judged(click__bot=0, view__bot=0), HOUR), RULE).passed


@pytest.mark.parametrize("hour", [None, HOUR])
def test_with_nothing_learned_every_check_passes_and_says_so(hour: datetime | None) -> None:
    frame = pl.DataFrame(an_hour(HOUR, 2000, 4000, 0) if hour else [], schema=SCHEMA, orient="row")
    results = [drift_verdict(frame, hour), values_verdict(frame, hour)]
    results += [
        segments_verdict(subject, made(frame, hour), RULE)
        for subject, made in ((_SHARES, share_series), (_BOTS, bot_series), (_VOLUME, volume_series))
    ]
    assert all(result.passed for result in results)
    assert "Learning" in results[0].description
    assert all("Not enough" in result.description for result in results[2:])
