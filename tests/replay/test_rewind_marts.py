"""After a rewind the marts are those of a full rebuild, whatever a run of dbt was doing meanwhile."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from contracts.clock import SystemClock
from contracts.names import MARTS
from contracts.settings import Settings
from streaming.rewind.rewind import RewindOptions, rewind
from streaming.rewind.target import Target
from tests.dbt_runs import dbt
from tests.integration.ingest_tools import ingest_all, make_topic, produce
from tests.unit.streaming.ingest.messages import as_json

pytestmark = [pytest.mark.clickhouse, pytest.mark.kafka]
_KINDS = ("page_view", "click", "add_to_cart", "purchase")
_FIRST = ("--select", "stg_events", "int_events")


def shopping(number: int) -> list[bytes]:
    """Events of a few users, items and variations over two days."""
    dice = random.Random(3)
    return [
        as_json(
            event_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            event_type=dice.choice(_KINDS),
            timestamp=f"2026-03-0{dice.randint(1, 2)}T{dice.randint(0, 23):02}:{dice.randint(0, 59):02}:00Z",
            user_id=f"user-{dice.randint(0, 9)}",
            item_id=dice.choice("abc"),
            price="19.99",
            quantity=dice.randint(1, 3),
            experiment_name="button",
            experiment_variation=dice.choice("ab"),
        )
        for _ in range(number)
    ]


class Place:
    """A topic whose first third is missing in raw, and marts that know no better."""

    def __init__(self, client: Client, settings: Settings, folder: Path) -> None:
        self._client, self._settings, self._folder = client, settings, folder
        make_topic(settings)
        produce(settings, shopping(300))
        ingest_all(settings)
        client.command("ALTER TABLE raw.events DELETE WHERE kafka_offset < 25", settings={"mutations_sync": 2})
        self.run()
        assert self.events() == 200

    def run(self, *arguments: str) -> None:
        statuses = dbt(self._settings, self._folder, "run", *arguments)
        assert set(statuses.values()) == {"success"}, statuses

    def rewind(self, wrap_writer: Callable[[Any], Any] = lambda writer: writer) -> None:
        settings = self._settings.model_copy(update={"kafka_batch_size": 20})
        since = Target(moment=datetime(2020, 1, 1, tzinfo=UTC))
        rewind(settings, self._client, since, RewindOptions(SystemClock(), wrap_writer=wrap_writer))

    def events(self) -> int:
        return int(self._client.query("SELECT sum(interactions) FROM marts.fct_item").result_rows[0][0])

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        return {mart: sorted(self._client.query(f"SELECT * FROM marts.{mart}").result_rows, key=repr) for mart in MARTS}

    def assert_equal_to_a_rebuild(self) -> None:
        assert self.events() == 300
        incremental = self.contents()
        self.run("--full-refresh")
        assert incremental == self.contents()


@pytest.fixture
def place(clean_marts: None, clickhouse: Client, make_settings: Callable[..., Settings], folder: Path) -> Place:
    return Place(clickhouse, make_settings(), folder)


@pytest.mark.long
def test_the_next_run_folds_in_what_a_rewind_wrote(place: Place) -> None:
    place.rewind()
    place.run()
    place.assert_equal_to_a_rebuild()


def test_a_rewind_between_two_models_of_a_run_is_not_missed(place: Place) -> None:
    """int_events had not seen the rows; a model behind it must not take them as done because it began later."""
    place.run(*_FIRST)
    place.rewind()
    place.run("--exclude", "int_events")
    place.run()
    place.assert_equal_to_a_rebuild()


@pytest.mark.long
def test_a_run_in_the_middle_of_a_rewind_is_followed_by_one_that_sees_the_rest(place: Place) -> None:
    class RunsInBetween:
        def __init__(self, writer: Any) -> None:
            self._writer, self._batches = writer, 0

        def write(self, batch: Any) -> None:
            self._writer.write(batch)
            self._batches += 1
            if self._batches == 2:
                place.run()

    place.rewind(RunsInBetween)
    place.run()
    place.assert_equal_to_a_rebuild()


def test_a_rewind_that_died_and_is_repeated_is_folded_in(place: Place) -> None:
    class Dies:
        def __init__(self, writer: Any) -> None:
            self._writer = writer

        def write(self, batch: Any) -> None:
            self._writer.write(batch)
            raise RuntimeError("died after an insert")

    with pytest.raises(RuntimeError):
        place.rewind(Dies)
    place.run()
    place.rewind()
    place.run()
    place.assert_equal_to_a_rebuild()


def test_a_rewind_is_read_once_and_then_left_alone(place: Place, clickhouse: Client) -> None:
    place.rewind()
    # As if it had ended well before the next run, so that the margin for clocks is over.
    clickhouse.command("ALTER TABLE raw.rewinds UPDATE at = at - 60 WHERE 1", settings={"mutations_sync": 2})
    clickhouse.command("TRUNCATE TABLE ops.model_windows")
    clickhouse.command(
        "ALTER TABLE ops.model_watermarks UPDATE since = since - 120 WHERE 1", settings={"mutations_sync": 2}
    )
    place.run()
    place.run()
    lows = clickhouse.query(
        "SELECT min(low), max(low) FROM ops.model_windows WHERE model = 'int_item' "
        "GROUP BY invocation_id ORDER BY max(opened_at)"
    ).result_rows
    assert [row[0] for row in lows] == [-1, 74]
    place.assert_equal_to_a_rebuild()
