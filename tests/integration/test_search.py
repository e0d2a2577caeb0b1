"""`millrace events` on a real ClickHouse: what it finds, in which order, and what it refuses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from pydantic import SecretStr

from contracts.clickhouse import connect
from contracts.errors import UserError
from contracts.names import ROLE_DASHBOARD, ROLE_INGEST
from contracts.settings import Settings
from local.clickhouse.config import passwords
from search import query as search_query
from search.filters import parse
from search.query import Events, Search, Slice, statement
from sql.grants import LIMITS, limit_statement
from tests.integration.search_tools import NOW, event, found, insert, search

pytestmark = pytest.mark.clickhouse

_PROPERTIES = (
    r'{"order": {"id": "A-77", "note": "Caf\u00e9 \"two\"\nlines", "total": 1.50}, "größe": "Über", "a.b": "x"}'
)
_BULK = """
INSERT INTO raw.events (event_id, event_type, event_time, user_id, session_id, item_id, page_url, properties,
    kafka_topic, kafka_offset, ingested_at)
SELECT generateUUIDv4(), ['page_view', 'click', 'scroll'][1 + number % 3], now64(6) - number / 5,
    concat('user-', toString(intDiv(number, 100) % 5000)), concat('s', toString(intDiv(number, 10))),
    concat('item-', toString(number % 300)), '/', concat('{"order":"o', toString(number), '"}'), 't', number,
    now64(3) - number / 5
FROM numbers(500000)"""


@pytest.fixture
def settings(clickhouse: Client, clickhouse_server: Settings) -> Settings:
    return clickhouse_server


@pytest.fixture
def rows(clickhouse: Client) -> None:
    insert(
        clickhouse,
        [
            event(1, session_id="S-1", item_id="shoe", price=Decimal("73.5"), quantity=2, country="DE"),
            event(2, page_url="https://shop.example/cart?x=1", search_query="Grüne Gummi-Stiefel", country="FR"),
            event(3, properties=_PROPERTIES, element_id="buy-now"),
            event(4, page_url="/cart", user_id="o'neil", properties='{"order": {"id": "B-1"}, "count": 7}'),
        ],
    )


@pytest.mark.parametrize(
    ("where", "offsets"),
    [
        ("user=u1", [1]),
        ("user_id!=u1", [2, 3, 4]),
        ("session=S-1", [1]),
        ("session=s-1", []),
        ("item=shoe AND price=73.50 AND quantity=2", [1]),
        ("price!=73.5", [2, 3, 4]),
        ("page=/cart", [2, 4]),
        ("page!=/cart", [1, 3]),
        ("page~CART", [2, 4]),
        ("page_url=https://shop.example/cart?x=1", [2]),
        ("query~stiefel grüne", [2]),
        ("query~GRÜNE", [2]),
        ("query~stief", []),
        ("query=Grüne Gummi-Stiefel", [2]),
        ("country=FR", [2]),
        ("country~fr", [2]),
        ("session=", [2, 3, 4]),
        (f"event_id={UUID(int=3)}", [3]),
        pytest.param(f"event_time={(NOW - timedelta(minutes=4)).isoformat()}", [4], id="event_time"),
        ("kafka_offset=2", [2]),
        ("text~buy", [3]),
        ("text~buy cart", []),
    ],
)  # fmt: skip
def test_each_field_finds_its_events_newest_first(
    settings: Settings, rows: None, where: str, offsets: list[int]
) -> None:
    assert found(settings, where) == offsets


@pytest.mark.parametrize(
    ("where", "offsets"),
    [
        ("properties.order.id=A-77", [3]),
        ("properties.order.id!=A-77", [1, 2, 4]),
        ("properties.order.id~b", [4]),
        ("properties.order.note~café LINES", [3]),
        ('properties.order.note="Café ""two""\nlines"', [3]),
        ("properties.größe=Über", [3]),
        ("properties.a.b=x", [3]),
        ("properties.count=7", [4]),
        ("properties.nothing=A-77", []),
        ("text~lines über", [3]),
        ("text~A-77", [3]),
    ],
)
def test_properties_are_found_by_key_also_nested_and_escaped(
    settings: Settings, clickhouse: Client, rows: None, where: str, offsets: list[int]
) -> None:
    assert found(settings, where) == offsets
    clickhouse.command("OPTIMIZE TABLE raw.events FINAL")
    assert found(settings, where) == offsets


@pytest.mark.parametrize(
    "value",
    [
        "x' OR 1=1 --",
        "') OR true --",
        "{limit:Int64}",
        "\\' OR 1=1 --",
        "x\\n\\t\t",
        "%(a)s %s",
        "x; DROP TABLE raw.events",
    ],
)
def test_what_looks_like_sql_is_only_text(settings: Settings, clickhouse: Client, rows: None, value: str) -> None:
    quoted = '"' + value.replace('"', '""') + '"'
    insert(clickhouse, [event(9, user_id=value, properties=json.dumps({value: value}))])
    key = f"properties.{value.replace(' ', '_')}"
    assert found(settings, f"user={quoted}") == [9]
    assert found(settings, f"text~{quoted}") == [9]
    if not set(" .=!~'\t") & set(value):
        assert found(settings, f"{key}={quoted}") == [9]
    assert clickhouse.query("SELECT count() FROM raw.events").result_rows == [(5,)]


def test_quotes_and_several_terms_all_hold(settings: Settings, rows: None) -> None:
    assert found(settings, "user=o'neil") == [4]
    assert found(settings, "user='o''neil' AND page=/cart", "properties.count=7") == [4]
    assert found(settings, 'user="u1 AND page=/cart"') == []


def test_last_and_limit_take_the_newest(settings: Settings, clickhouse: Client) -> None:
    insert(clickhouse, [event(number) for number in (5, 50, 90, 3000, 20_000, 90_000)])
    assert found(settings) == [5, 50, 90, 3000, 20_000, 90_000]
    assert found(settings, options=("--last", "1h")) == [5, 50]
    assert found(settings, options=("--last", "3d")) == [5, 50, 90, 3000]
    assert found(settings, options=("--limit", "3")) == [5, 50, 90]
    assert found(settings, options=("--last", "2m")) == []


def test_a_late_event_is_where_it_happened_and_one_ahead_of_its_landing_is_found(
    settings: Settings, clickhouse: Client
) -> None:
    early = event(30, ingested_at=NOW - timedelta(hours=23))
    insert(clickhouse, [event(10), event(5000, ingested_at=NOW), early])
    assert found(settings, options=("--limit", "2")) == [10, 30]
    assert found(settings) == [10, 30, 5000]
    assert found(settings, options=("--last", "1h")) == [10, 30]


def test_an_event_that_a_client_sent_again_is_shown_once(settings: Settings, clickhouse: Client) -> None:
    same = {"event_id": UUID(int=77), "event_time": NOW - timedelta(minutes=1)}
    insert(clickhouse, [event(number, **same) for number in (33, 31, 32)])
    insert(clickhouse, [event(8)])
    assert found(settings) == [31, 8]
    assert found(settings, options=("--limit", "2")) == [31, 8]
    assert found(settings, options=("--duplicates",)) == [31, 32, 33, 8]


def test_many_repeats_do_not_hide_what_is_older(settings: Settings, clickhouse: Client) -> None:
    clickhouse.command(
        "INSERT INTO raw.events (event_id, event_time, ingested_at, kafka_offset) "
        "SELECT toUUID('00000000-0000-0000-0000-000000000001'), now64(6), now64(3), number FROM numbers(500)"
    )
    insert(clickhouse, [event(600), event(601), event(602)])
    assert found(settings, options=("--limit", "3")) == [0, 600, 601]


def test_a_repeat_at_another_time_is_shown_once_where_it_was_newest(settings: Settings, clickhouse: Client) -> None:
    same = {"event_id": UUID(int=77)}
    insert(clickhouse, [event(10, **same), event(100, **same), event(200), event(5_000, **same)])
    assert found(settings) == [10, 200]
    assert found(settings, options=("--duplicates",)) == [10, 100, 200, 5_000]


def made(at: datetime, version: int = 7) -> UUID:
    """A UUIDv7 of that moment; of another version, an id that only looks like one."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (version << 76) | (2 << 62) | 5)


@pytest.mark.parametrize("minutes_after", [0, 50, 300])
@pytest.mark.parametrize("version", [7, 4])
def test_an_event_is_found_by_its_id_whenever_it_was_made(
    settings: Settings, clickhouse: Client, version: int, minutes_after: int
) -> None:
    name = made(NOW - timedelta(minutes=60_000 + minutes_after), version)
    insert(clickhouse, [event(60_000, event_id=name), event(3), event(70_000)])
    assert found(settings, f"event_id={name}") == [60_000]
    assert found(settings, f"event_id={name}", options=("--duplicates",)) == [60_000]
    assert found(settings, f"event_id={name}", options=("--last", "30d")) == []
    assert found(settings, f"event_id={UUID(int=2**128 - 1)}") == []


def test_the_id_of_an_event_leaves_the_other_days_unread(settings: Settings, clickhouse: Client) -> None:
    name = made(NOW - timedelta(days=30))
    insert(clickhouse, [event(43_200, event_id=name)])
    clickhouse.command(
        "INSERT INTO raw.events (event_id, user_id, event_time, ingested_at, kafka_offset) "
        "SELECT generateUUIDv4(), toString(rand()), now64(6) - number, now64(3), number FROM numbers(100_000)"
    )
    source = Events(lambda: clickhouse)
    assert len(source.find(Search(parse([f"event_id={name}"])), NOW)) == 1
    assert source.read_rows < 100


def test_json_has_every_column_and_keeps_what_the_client_wrote(settings: Settings, rows: None) -> None:
    lines = search(settings, "--json", "--where", "kafka_offset=3").text.splitlines()
    assert len(lines) == 1
    assert '"total":1.50' in lines[0]
    shown = json.loads(lines[0])
    assert shown["properties"]["größe"] == "Über"
    assert shown["price"] is None
    assert shown["event_id"] == str(UUID(int=3))
    price = json.loads(search(settings, "--json", "--columns", "price,country", "--where", "user=u1").text)
    assert {name: str(Decimal(value)) if name == "price" else value for name, value in price.items()} == {
        "price": "73.500000", "country": "DE"
    }  # fmt: skip


def test_the_table_is_safe_on_a_terminal(settings: Settings, clickhouse: Client) -> None:
    insert(clickhouse, [event(1, user_id="\x1b[31mred\u202e", properties=json.dumps({"k": "x" * 500}))])
    text = search(settings).text
    assert r"\x1b[31mred\u202e" in text
    assert all(letter.isprintable() for line in text.splitlines() for letter in line)
    columns = search(settings, "--columns", "user,properties.k").text.splitlines()
    assert columns[0].split() == ["user_id", "properties.k"]
    assert search(settings, "--where", "user=nobody").text == "no events match\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--where", "usr=1"], "there is no field 'usr'; there are text, page, user"),
        (["--where", "user"], "write FIELD=VALUE"),
        (["--where", "user='a"], "a quote is not closed"),
        (["--where", "user='a' page=/"], "write FIELD=VALUE"),
        (["--where", "price=cheap"], "the value of price is a number"),
        (["--where", "quantity~2"], "for quantity there are =, !="),
        (["--where", "text=a"], "for text there are ~"),
        (["--where", "text~--"], "there is no word in it"),
        (["--where", "event_id=7"], "a UUID"),
        (["--where", "properties.=7"], "there is no field"),
        (["--last", "soon"], "--last 'soon': write a span"),
        (["--columns", "page"], "a list with commas"),
        (["--limit", "0"], "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(
    settings: Settings, clickhouse: Client, arguments: list[str], said: str
) -> None:
    done = search(settings, *arguments)
    assert (done.code, done.error.count("\n")) == (2, 1)
    assert said in done.error


@pytest.mark.parametrize(
    "where",
    ["session=s4711", "properties.order=o47110", "text~o47110", "user=user-17", "item=item-nowhere", "page=/nowhere"],
)
def test_the_index_leaves_most_of_a_table_unread(settings: Settings, clickhouse: Client, where: str) -> None:
    clickhouse.command(_BULK)
    clickhouse.command("OPTIMIZE TABLE raw.events FINAL")
    terms = parse([where])
    query, parameters = statement(Search(terms), Slice(), timedelta(days=1), 100)
    plan = "\n".join(str(row[0]) for row in clickhouse.query(f"EXPLAIN indexes=1 {query}", parameters).result_rows)
    assert "Name: words" in plan
    result = clickhouse.query(query, parameters)
    assert int(result.summary["read_rows"]) < 100_000
    assert bool(result.result_rows) == ("nowhere" not in where)


def test_a_big_limit_gives_all_there_is(settings: Settings, clickhouse: Client) -> None:
    clickhouse.command(_BULK)
    rows = Events(lambda: clickhouse).find(Search(limit=100_000, columns=("event_time", "kafka_offset")), NOW)
    assert [row["kafka_offset"] for row in rows] == list(range(100_000))


def test_the_dashboards_user_may_search_within_its_limits_and_ingest_may_not(settings: Settings, rows: None) -> None:
    secrets = passwords(settings.millrace_home / "server")
    users = [
        settings.model_copy(update={"clickhouse_user": role, "clickhouse_password": SecretStr(secrets[role])})
        for role in (ROLE_DASHBOARD, ROLE_INGEST)
    ]
    assert found(users[0], "user=u1") == [1]
    refused = search(users[1])
    assert (refused.code, refused.error.count("\n")) == (1, 1)
    assert "may not read raw.events" in refused.error


def test_a_search_over_its_budget_says_what_to_do(
    settings: Settings, clickhouse: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clickhouse.command(_BULK)
    monkeypatch.setattr(search_query, "BUDGET", {"max_rows_to_read": 1000})
    with pytest.raises(UserError, match="--last"):
        Events(lambda: clickhouse).find(Search(), NOW)


def test_the_dashboards_user_cannot_raise_its_limits(settings: Settings, clickhouse: Client) -> None:
    secret = passwords(settings.millrace_home / "server")[ROLE_DASHBOARD]
    changed = {"clickhouse_user": ROLE_DASHBOARD, "clickhouse_password": SecretStr(secret)}
    user = connect(settings.model_copy(update=changed))
    for name, value in LIMITS[ROLE_DASHBOARD].items():
        with pytest.raises(DatabaseError, match="shouldn't be greater"):
            user.query("SELECT count() FROM raw.events", settings={name: value + 1})
    user.close()


def test_the_limits_are_sql_that_the_server_reads(clickhouse: Client) -> None:
    assert clickhouse.query(f"EXPLAIN AST {limit_statement(ROLE_DASHBOARD)}").result_rows
    assert limit_statement(ROLE_INGEST) is None
