"""The live models: right with the insert, however it goes, and never in the way of ingestion."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from pydantic import SecretStr

from contracts.clickhouse import connect
from contracts.clock import Clock, SystemClock
from contracts.errors import Fenced
from contracts.names import LIVE_MODELS, LIVE_TABLES
from contracts.settings import Settings
from local.clickhouse.config import passwords
from sql.migrate import load
from streaming.ingest.batch import Batch
from streaming.ingest.chunks import Position, decode_chunk
from streaming.ingest.decode import Decoder
from streaming.ingest.epochs import Epochs
from streaming.ingest.records import Partition
from streaming.ingest.writer import ClickHouseWriter
from tests.dbt_runs import dbt, run_operation
from tests.integration.ingest_tools import ingest_all, make_topic, produce
from tests.unit.streaming.ingest.messages import FakeMessage, as_json

pytestmark = [pytest.mark.clickhouse]
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def live(clickhouse: Client, clickhouse_server: Settings, folder: Path) -> Client:
    """A client of a server whose live tables are empty and whose live models stand."""
    for table in LIVE_TABLES:
        clickhouse.command(f"TRUNCATE TABLE {table}")
    statuses = dbt(clickhouse_server, folder, "run", "--select", "stg_events", *LIVE_MODELS)
    assert set(statuses.values()) == {"success"}, statuses
    return clickhouse


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Partition:
    """A partition that no other test claims."""
    return Partition(f"live-{request.node.name}"[:200], 0)


class Ingest:
    """A worker's writer, fed batch by batch."""

    def __init__(self, client: Client, place: Partition, clock: Clock | None = None) -> None:
        self.epochs = Epochs(lambda: client, "group", uuid.uuid4().hex)
        chosen = clock or SystemClock()
        self.writer = ClickHouseWriter(lambda: client, self.epochs, "test", uuid.uuid4().hex, chosen)
        self.place, self.offset = place, 0
        self.epoch = self.epochs.take([place])[place]

    def batch(self, *values: bytes) -> Batch:
        """The next messages of the partition."""
        place, first = self.place, self.offset
        messages = [FakeMessage(value, first + at, place.number, place.topic) for at, value in enumerate(values)]
        self.offset += len(values)
        batch = Batch()
        batch.add(decode_chunk(messages, {place: Position(first, epoch=self.epoch)}, Decoder(SystemClock())), now=0)
        return batch

    def write(self, *values: bytes) -> None:
        self.writer.write(self.batch(*values))


def message(at: datetime, **changes: Any) -> bytes:
    """A purchase by one user on a phone at this time, or what the changes make of it."""
    usual = {
        "event_id": str(uuid.uuid4()),
        "event_type": "purchase",
        "timestamp": at.isoformat(),
        "session_id": "s1",
        "item_id": "hat",
        "price": "9.99",
        "quantity": 2,
        "page_url": "https://shop.example/hat?from=mail",
        "device_type": "phone",
    }
    return as_json(**(usual | changes))


def now() -> datetime:
    """This moment (UTC)."""
    return datetime.now(UTC)


class SlowClock:
    """Goes three minutes after: what it stamps has settled."""

    def now(self) -> datetime:
        return now() - 3 * MINUTE


def seen(client: Client, columns: str = "events, purchases, revenue") -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM live.live_minute ORDER BY minute, device_type"
    return [tuple(row) for row in client.query(query).result_rows]


def number(client: Client, query: str) -> int:
    return int(client.query(query).result_rows[0][0])


def shop(count: int, end: datetime) -> list[bytes]:
    """Events of a few people over ten minutes; every ninth is sent twice."""
    dice = random.Random(7)
    values = []
    for _ in range(count):
        user = dice.randrange(12)
        value = message(
            end - timedelta(seconds=dice.uniform(0, 600)),
            event_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
            event_type=dice.choice(["page_view", "click", "purchase"]),
            user_id=f"user-{user}",
            session_id=dice.choice(["", f"s-{user}", f"t-{user}"]),
            item_id=dice.choice(["", "hat", "shoe"]),
            price=f"{dice.randrange(1, 99)}.99",
            device_type=dice.choice(["phone", "desktop", ""]),
        )
        values += [value, value] if dice.randrange(9) == 0 else [value]
    return values


def reckoned(values: list[bytes]) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Events, users, sessions, purchases, revenue and buying sessions by minute and device, counted in Python."""
    events = {row["event_id"]: row for row in map(json.loads, values)}
    groups = defaultdict(list)
    for row in events.values():
        groups[(row["timestamp"][:16], row["device_type"])].append(row)
    return {key: _figures(rows) for key, rows in groups.items()}


def _figures(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    bought = [row for row in rows if row["event_type"] == "purchase"]
    session = [(row["session_id"] or ("user", row["user_id"])) for row in rows]
    buying = {row["session_id"] or ("user", row["user_id"]) for row in bought}
    revenue = sum((Decimal(row["price"]) * row["quantity"] for row in bought), Decimal(0))
    return (len(rows), len({row["user_id"] for row in rows}), len(set(session)), len(bought), revenue, len(buying))


@pytest.mark.kafka
def test_a_workers_events_are_there_with_the_figures_of_an_independent_count(
    live: Client, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings()
    make_topic(settings)
    values = shop(900, now() - MINUTE)
    produce(settings, values)
    ingest_all(settings)
    columns = "formatDateTime(minute, '%Y-%m-%dT%H:%i'), device_type, events, active_users, sessions, purchases"
    found = {row[:2]: row[2:] for row in seen(live, f"{columns}, revenue, buying_sessions")}
    assert found == reckoned(values)


def test_active_users_are_counted_once_over_minutes_and_devices(live: Client, place: Partition) -> None:
    at = now() - timedelta(seconds=1)
    Ingest(live, place).write(
        message(at, user_id="a"),
        message(at - MINUTE, user_id="a", device_type="desktop"),
        message(at - 20 * MINUTE, user_id="b", session_id=None),
        message(at - 40 * MINUTE, user_id="c"),
    )
    query = "SELECT window_minutes, device_type, active_users, active_sessions FROM live.live_active_users ORDER BY ALL"
    assert live.query(query).result_rows == [
        (5, "all", 1, 1),
        (5, "desktop", 1, 1),
        (5, "phone", 1, 1),
        (30, "all", 2, 2),
        (30, "desktop", 1, 1),
        (30, "phone", 2, 2),
    ]


def test_top_pages_and_items_count_each_event_once(live: Client, place: Partition) -> None:
    at = now() - MINUTE
    view = message(at, event_type="page_view", user_id="b")
    other = message(at, event_type="page_view", page_url="https://shop.example/hat#top")
    worker = Ingest(live, place)
    worker.write(view, view, message(at))
    worker.write(view, other)
    assert live.query("SELECT page, sum(views) FROM live.live_top_pages GROUP BY page").result_rows == [("/hat", 2)]
    query = "SELECT item_id, interactions, purchases, units, revenue FROM live.live_top_items"
    assert live.query(query).result_rows == [("hat", 3, 1, 2, Decimal("19.98"))]


def test_a_page_is_the_path_of_its_address_here_and_in_staging(live: Client, place: Partition) -> None:
    pages = {
        "https://shop.example/a/b?from=mail#top": "/a/b",
        "https://shop.example": "/",
        "https://shop.example?from=/mail": "/",
        "//shop.example/c": "/c",
        "android-app://shop.example/d": "/d",
        "/e?u=//b": "/e",
        "/f//b://c/d": "/f//b://c/d",
        "g//b": "g//b",
        "search?next=https://shop.example/a": "search",
        "#top": "",
        "/ä/日本": "/ä/日本",
    }
    views = [message(now() - MINUTE, event_type="page_view", page_url=address) for address in pages]
    Ingest(live, place).write(*views)
    assert dict(live.query("SELECT page_url, page FROM staging.stg_events").result_rows) == pages
    shown = live.query("SELECT page, sum(views) FROM live.live_top_pages GROUP BY page").result_rows
    assert dict(shown) == dict(Counter(pages.values()))


def test_an_event_sent_twice_counts_once_in_one_batch_and_in_two(live: Client, place: Partition) -> None:
    value = message(now() - MINUTE)
    worker = Ingest(live, place)
    worker.write(value, value)
    worker.write(value)
    assert number(live, "SELECT count() FROM raw.events") == 3
    assert seen(live) == [(1, 1, Decimal("19.98"))]


def test_a_batch_that_is_inserted_again_with_its_token_changes_nothing(live: Client, place: Partition) -> None:
    worker = Ingest(live, place)
    at = now() - MINUTE
    batch = worker.batch(*(message(at) for _ in range(5)))
    worker.writer.write(batch)
    worker.writer.write(batch)
    assert number(live, "SELECT count() FROM raw.events") == 5
    assert seen(live) == [(5, 5, Decimal("99.90"))]


def test_a_repeat_brings_what_the_first_try_did_not_bring_to_live(live: Client, place: Partition) -> None:
    """A worker whose connection breaks after raw has the rows and before live has them sends the batch again."""
    worker = Ingest(live, place)
    batch = worker.batch(message(now() - MINUTE))
    worker.writer.write(batch)
    for table in LIVE_TABLES:
        live.command(f"TRUNCATE TABLE {table}")
    worker.writer.write(batch)
    assert number(live, "SELECT count() FROM raw.events") == 1
    assert seen(live) == [(1, 1, Decimal("19.98"))]


def test_a_refused_insert_of_an_earlier_owner_leaves_nothing_in_live(live: Client, place: Partition) -> None:
    zombie = Ingest(live, place)
    late = zombie.batch(message(now() - MINUTE))
    Ingest(live, place)
    with pytest.raises(Fenced):
        zombie.writer.write(late)
    assert seen(live) == []
    assert all(number(live, f"SELECT count() FROM {table}") == 0 for table in LIVE_TABLES)


def test_a_late_event_belongs_to_its_minute_and_one_outside_is_only_counted(live: Client, place: Partition) -> None:
    at = now()
    Ingest(live, place).write(
        message(at - timedelta(hours=5)),
        message(at - timedelta(hours=7)),
        message(at + timedelta(minutes=30)),
        message(at - timedelta(seconds=1)),
    )
    rows = seen(live, "dateDiff('hour', minute, now('UTC')) > 3, events, purchases, too_late, too_early")
    assert (True, 1, 1) in {row[:3] for row in rows}
    assert [sum(row[at] for row in rows) for at in range(1, 5)] == [2, 2, 1, 1]
    active = "SELECT active_users FROM live.live_active_users WHERE window_minutes = 5 AND device_type = 'all'"
    assert number(live, active) == 1


def test_the_ingest_role_has_no_right_on_live_and_its_inserts_are_seen(
    live: Client, place: Partition, clickhouse_server: Settings
) -> None:
    secret = passwords(clickhouse_server.millrace_home / "server")["millrace_ingest"]
    role = {"clickhouse_user": "millrace_ingest", "clickhouse_password": SecretStr(secret)}
    client = connect(clickhouse_server.model_copy(update=role))
    assert number(client, "CHECK GRANT INSERT ON live.minute_sets") == 0
    Ingest(client, place).write(message(now() - MINUTE))
    client.close()
    assert seen(live) == [(1, 1, Decimal("19.98"))]


@pytest.mark.parametrize("table", LIVE_TABLES)
def test_a_dropped_live_table_does_not_stop_ingestion_and_is_mended(
    table: str, live: Client, place: Partition, clickhouse_server: Settings, folder: Path
) -> None:
    worker = Ingest(live, place)
    worker.write(message(now() - MINUTE))
    before = contents(live)
    live.command(f"DROP TABLE {table} SYNC")
    worker.write(message(now() - MINUTE, event_type="page_view", user_id="b"))
    assert number(live, "SELECT count() FROM raw.events") == 2
    make_again(live, clickhouse_server)
    run_operation(clickhouse_server, folder, "mend_live", "{hours: 1}")
    mended = contents(live)
    for other in LIVE_TABLES:
        live.command(f"TRUNCATE TABLE {other}")
    run_operation(clickhouse_server, folder, "mend_live")
    assert mended == contents(live) != before


def test_a_view_that_fails_does_not_stop_ingestion_nor_the_other_views(live: Client, place: Partition) -> None:
    live.command("CREATE TABLE live.broken (number UInt8) ENGINE = Memory")
    live.command("CREATE MATERIALIZED VIEW live.breaks TO live.broken AS SELECT throwIf(1) AS number FROM raw.events")
    try:
        Ingest(live, place).write(message(now() - MINUTE))
    finally:
        live.command("DROP TABLE live.breaks SYNC")
        live.command("DROP TABLE live.broken SYNC")
    assert number(live, "SELECT count() FROM raw.events") == 1
    assert seen(live) == [(1, 1, Decimal("19.98"))]


def test_what_a_view_missed_is_found_by_the_test_and_mended(
    live: Client, place: Partition, clickhouse_server: Settings, folder: Path
) -> None:
    Ingest(live, place, SlowClock()).write(*shop(100, now() - 5 * MINUTE))

    def check() -> str:
        return dbt(clickhouse_server, folder, "test", "--select", "live_equals_events")["live_equals_events"]

    assert check() == "pass"
    live.command("TRUNCATE TABLE live.purchases")
    assert check() == "fail"
    run_operation(clickhouse_server, folder, "mend_live", "{hours: 1}")
    assert check() == "pass"


def test_the_models_keep_their_contracts_and_pass_their_tests(
    live: Client, place: Partition, clickhouse_server: Settings, folder: Path
) -> None:
    Ingest(live, place).write(*shop(300, now() - MINUTE))
    statuses = dbt(clickhouse_server, folder, "test", "--select", *LIVE_MODELS, "--exclude", "test_type:unit")
    assert len(statuses) > 10
    assert set(statuses.values()) == {"pass"}, statuses


def contents(client: Client) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the models that name minutes."""
    models = ("live_minute", "live_top_pages", "live_top_items")
    return {model: sorted(client.query(f"SELECT * FROM live.{model}").result_rows, key=repr) for model in models}


def make_again(client: Client, settings: Settings) -> None:
    """What `millrace migrate` does for a migration that is not marked as applied."""
    live = next(migration for migration in load(settings) if migration.name.endswith("_live"))
    for statement in live.statements:
        client.command(statement)
