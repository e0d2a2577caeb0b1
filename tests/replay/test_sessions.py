"""What a session is called, when it is one and when two, and who is taken for a bot."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from contracts.settings import Settings
from tests.dbt_runs import dbt
from tests.events import Landing

pytestmark = [pytest.mark.clickhouse]
MODELS = ("--select", "stg_events", "int_events", "int_user_daily", "int_sessions", "fct_session")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Visits:
    """Lands events minute by minute and shows the sessions they make."""

    def __init__(self, client: Client, settings: Settings, folder: Path) -> None:
        self._client, self._settings, self._folder = client, settings, folder
        self._landing = Landing(client)

    def land(self, *minutes: float, hours_ago: float = 0, **fields: Any) -> None:
        """Land an event so many minutes after noon, for each of `minutes`, and build the sessions."""
        known = {"user_id": "u", "session_id": "", "user_agent": "Mozilla/5.0", "price": "", "event_type": "page_view"}
        at = [NOON + timedelta(minutes=minute) for minute in minutes]
        rows = [
            {"event_id": str(uuid.uuid4())} | known | fields | {"event_time": one, "kafka_timestamp": one} for one in at
        ]
        events = pl.DataFrame(rows, schema_overrides={"event_time": pl.Datetime("us", "UTC")})
        self._landing.land(events, hours_ago=hours_ago)
        statuses = dbt(self._settings, self._folder, "run", *MODELS)
        assert set(statuses.values()) == {"success"}, statuses

    def sessions(self, columns: str = "session_id, events") -> list[tuple[Any, ...]]:
        query = f"SELECT {columns} FROM marts.fct_session ORDER BY user_id, started_at"
        return [tuple(row) for row in self._client.query(query).result_rows]

    def names(self) -> list[str]:
        return [row[0] for row in self.sessions()]


@pytest.fixture
def visits(clean_marts: None, clickhouse: Client, clickhouse_server: Settings, folder: Path) -> Visits:
    return Visits(clickhouse, clickhouse_server, folder)


def test_a_late_event_before_after_or_within_a_session_does_not_rename_it(visits: Visits) -> None:
    visits.land(0, 10)
    name = visits.names()
    visits.land(-20, 5, 35)
    assert (visits.names(), visits.sessions("events")) == (name, [(5,)])


def test_a_late_event_renames_no_other_session(visits: Visits) -> None:
    visits.land(0, 60, 120, session_id="")
    first, second, third = visits.names()
    visits.land(-300)
    assert visits.names()[1:] == [first, second, third]


def test_a_copy_that_was_stamped_earlier_takes_its_event_out_of_a_session_over_midnight(visits: Visits) -> None:
    """Its insert was repeated through an outage; nothing is left after midnight that says what was there before."""
    name = str(uuid.uuid4())
    visits.land(715, session_id="a")
    visits.land(725, session_id="a", event_id=name)
    assert visits.sessions("client_session_id, events") == [("a", 2)]
    visits.land(725, session_id="b", event_id=name, hours_ago=3)
    assert visits.sessions("client_session_id, events") == [("a", 1), ("b", 1)]


def test_of_two_sessions_that_a_late_event_joins_the_one_that_landed_first_keeps_its_name(visits: Visits) -> None:
    visits.land(40)
    [older] = visits.names()
    visits.land(0)
    assert visits.names()[1] == older
    visits.land(20)
    assert visits.sessions() == [(older, 3)]


def test_a_pause_of_exactly_the_idle_time_does_not_end_a_session_and_a_longer_one_does(visits: Visits) -> None:
    visits.land(0, 30)
    assert len(visits.names()) == 1
    visits.land(60.001)
    assert len(visits.names()) == 2


def test_a_client_session_goes_on_after_any_pause_within_the_cap_and_over_midnight(visits: Visits) -> None:
    visits.land(0, 14 * 60, session_id="s")
    assert visits.sessions("client_session_id, events, toString(session_date)") == [("s", 2, "2026-03-02")]


def test_a_client_session_longer_than_the_cap_is_cut_at_midnight(visits: Visits) -> None:
    visits.land(0, 14 * 60, session_id="s")
    [name] = visits.names()
    visits.land(25 * 60, session_id="s")
    assert visits.sessions("events, toString(session_date)") == [(1, "2026-03-02"), (2, "2026-03-03")]
    assert visits.names()[0] == name


def test_a_session_id_is_one_users(visits: Visits) -> None:
    visits.land(0, session_id="s")
    visits.land(1, session_id="s", user_id="v")
    assert visits.sessions("user_id, events") == [("u", 1), ("v", 1)]


@pytest.mark.parametrize(
    ("minutes", "agent", "reasons"),
    [
        ([0], "Mozilla/5.0 (compatible; ExampleBot/2.1)", ["user_agent"]),
        ([number / 120 for number in range(80)], "Mozilla/5.0", ["rate"]),
        ([0.0] * 60, "Mozilla/5.0", ["rate"]),
        ([number * 20.0 for number in range(-35, 2)], "Mozilla/5.0", ["duration"]),
        ([number * 20.0 for number in range(35)], "Mozilla/5.0", []),
        ([number / 30 for number in range(59)], "Mozilla/5.0", []),
    ],
)
def test_bots_are_known_by_agent_rate_and_stamina(
    minutes: list[float], agent: str, reasons: list[str], visits: Visits
) -> None:
    visits.land(*minutes, user_agent=agent)
    assert visits.sessions("bot_reasons, is_bot")[0] == (reasons, bool(reasons))
