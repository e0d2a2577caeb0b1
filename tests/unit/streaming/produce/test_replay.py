from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import ManualClock
from contracts.errors import UserError
from contracts.settings import Settings
from streaming.kafka.topics import ensure_topic
from streaming.produce.replay.convert import Converted, convert, messages
from streaming.produce.replay.mapping import known, load_mapping
from streaming.produce.replay.read import read_rows
from streaming.produce.replay.replay import ReplayOptions, Report, replay
from streaming.produce.simulate import Surroundings

SAMPLES = Path(__file__).parents[4] / "samples"
RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SALE = "536365,85123A,WHITE HEART,6,2011-01-04 08:26:00,2.55,17850.0,United Kingdom\n"


def converted(folder: Path, text: str, name: str = "online-retail") -> Converted:
    path = folder / "log"
    path.write_text(text, encoding="utf-8")
    mapping = load_mapping(name)
    rows = read_rows(path, mapping)
    result = convert(rows, mapping, "log")
    assert rows.read == result.events.height + sum(map(len, result.refused.values()))
    return result


def run(settings: Settings, options: ReplayOptions, folder: Path, clock: ManualClock) -> Report:
    ensure_topic(settings)
    unpaced = settings.model_copy(update={"kafka": "real"})
    return replay(unpaced, options, folder, Surroundings(clock))


def test_a_sale_becomes_a_purchase_with_its_exact_price(tmp_path: Path) -> None:
    sent = messages(converted(tmp_path, RETAIL + SALE).events)
    event = msgspec.json.decode(sent.values[0] or b"")
    assert b'"price":2.55' in (sent.values[0] or b"")
    assert (event["event_type"], event["user_id"], event["quantity"]) == ("purchase", "17850", 6)
    assert event["timestamp"] == "2011-01-04T08:26:00.000000Z"
    assert event["properties"] == {"InvoiceNo": "536365", "Description": "WHITE HEART"}
    assert sent.keys == [b"17850"]


def test_a_cancellation_keeps_its_negative_quantity_and_an_order_without_customer_is_a_guests(
    tmp_path: Path,
) -> None:
    text = "C536379,D,Discount,-1,2011-01-04 09:41:00,27.50,,United Kingdom\n"
    row = converted(tmp_path, RETAIL + text).events.row(0, named=True)
    assert (row["event_type"], row["quantity"], row["user_id"]) == ("cancellation", -1, "guest-C536379")
    assert row["price"] == "27.50"


def test_twin_rows_stay_two_events_and_a_second_replay_repeats_their_ids(tmp_path: Path) -> None:
    first, second = (converted(tmp_path, RETAIL + SALE + SALE).events["event_id"].to_list() for _ in range(2))
    assert len(set(first)) == 2
    assert first == second


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,A,x,1,2011-01-04 08:26:00,0.0,1.0,UK", "price_not_above_zero"),
        ("1,A,x,1,2011-01-04 08:26:00,-11062.06,1.0,UK", "price_not_above_zero"),
        ("1,A,x,1,2011-13-04 08:26:00,1.5,1.0,UK", "bad_time"),
        ("1,A,x,1,,1.5,1.0,UK", "bad_time"),
        ("1,A,x,one,2011-01-04 08:26:00,1.5,1.0,UK", "bad_quantity"),
        ("1,A,x,99999999999,2011-01-04 08:26:00,1.5,1.0,UK", "bad_quantity"),
        ("1,A,x,1,2011-01-04 08:26:00,cheap,1.0,UK", "bad_price"),
        ("1,A,x,1,2011-01-04 08:26:00", "wrong_number_of_columns"),
    ],
)
def test_a_row_that_is_no_event_is_refused_by_reason_with_its_line(row: str, reason: str, tmp_path: Path) -> None:
    result = converted(tmp_path, RETAIL + SALE + row + "\n")
    assert result.refused == {reason: [3]}
    assert result.events.height == 1


@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=8, max_size=8), max_size=8))
def test_every_row_is_an_event_or_refused_whatever_it_holds(rows: list[list[str]], tmp_path_factory) -> None:
    text = io.StringIO(RETAIL, newline="")
    text.seek(0, io.SEEK_END)
    csv.writer(text).writerows(rows)
    converted(tmp_path_factory.mktemp("any"), text.getvalue())


def test_bytes_that_are_not_text_refuse_their_row_only(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes((RETAIL + SALE).encode() + SALE.encode().replace(b"WHITE", b"\xa3"))
    mapping = load_mapping("online-retail")
    assert read_rows(path, mapping).refused == {"not_text": [3]}


def test_an_access_log_keeps_robots_and_refuses_the_truncated_line(tmp_path: Path) -> None:
    line = '46.1.2.3 - - [20/May/2015:12:05:17 +0200] "GET {} HTTP/1.1" 200 - "-" "Googlebot/2.1"\n'
    text = line.format("/a?b=1") + line.format("/x.png") + '46.1.2.3 - - [20/May/2015:12:05:17 +0200] "GET /b'
    result = converted(tmp_path, text, "apache-access")
    assert result.refused == {"not_in_format": [3]}
    page, asset = result.events.rows(named=True)
    assert (page["event_type"], asset["event_type"]) == ("page_view", "asset")
    assert (page["user_id"], page["page_url"], page["user_agent"]) == ("46.1.2.3", "/a?b=1", "Googlebot/2.1")
    assert page["referrer"] is None
    assert page["event_time"] == datetime(2015, 5, 20, 10, 5, 17, tzinfo=UTC)


def test_an_end_marker_is_no_event(tmp_path: Path) -> None:
    text = "client_id,event,timestamp\n1,payment_done,2019-11-01 17:59:13.273932\n1,lost,2019-11-01 18:00:00.5\n"
    result = converted(tmp_path, text, "shop-clickstream")
    assert result.refused == {"end_marker": [3]}
    assert result.events["event_type"].to_list() == ["purchase"]
    assert result.events["event_time"].dt.microsecond().to_list() == [273932]


def test_an_experiment_without_times_gets_made_up_ones_a_second_apart(tmp_path: Path) -> None:
    text = "userid,version,sum_gamerounds,retention_1,retention_7\n"
    text += "116,gate_30,3,FALSE,FALSE\n337,gate_40,9,TRUE,FALSE\n"
    events = converted(tmp_path, text, "cookie-cats").events
    assert events["experiment_variation"].to_list() == ["gate_30", "gate_40"]
    assert events["event_time"].diff().to_list()[1] == timedelta(seconds=1)


def test_parquet_json_lines_and_gzip_give_the_same_events(tmp_path: Path) -> None:
    rule = "description: d\nfile: {}\ntime: {{column: t, format: epoch_ms}}\nfields:\n  user_id: {{column: u}}\n"
    rule += "  event_type: {{constant: x}}\n  price: {{column: p}}\n"
    table = pl.DataFrame({"u": ["a", "b"], "t": [1_700_000_000_001, 2], "p": ["1.10", "0.1"]})
    table.with_columns(pl.col("p").cast(pl.Decimal(9, 2))).write_parquet(tmp_path / "log.parquet")
    lines = '{"u":"a","t":1700000000001,"p":1.10}\n{"u":"b","t":2,"p":0.10}\n'
    (tmp_path / "log.ndjson.gz").write_bytes(gzip.compress(lines.encode()))
    found = []
    for kind, name in (("parquet", "log.parquet"), ("ndjson", "log.ndjson.gz")):
        (tmp_path / "m.yml").write_text(rule.format(kind))
        mapping = load_mapping(str(tmp_path / "m.yml"))
        found.append(convert(read_rows(tmp_path / name, mapping), mapping, "same").events.drop("event_id"))
    assert found[0].equals(found[1])
    assert found[0]["price"].to_list() == ["0.10", "1.10"]
    assert found[0]["event_time"].dt.epoch("ms").to_list() == [2, 1_700_000_000_001]


@pytest.mark.parametrize(
    ("name", "read", "produced", "refused"),
    [
        ("online-retail.csv.gz", 35_297, 35_052, {"price_not_above_zero": 245}),
        ("apache-access.log.gz", 10_000, 9_999, {"not_in_format": 1}),
    ],
)
def test_the_samples_are_replayed_row_for_row(
    name: str, read: int, produced: int, refused: dict[str, int], settings: Settings, tmp_path: Path
) -> None:
    options = ReplayOptions(SAMPLES / name, name.split(".", 1)[0])
    report = run(settings, options, tmp_path / "record", ManualClock())
    assert (report.rows_read, report.events_produced, report.delivered) == (read, produced, produced)
    assert {reason: each.rows for reason, each in report.refused.items()} == refused
    assert report.rows_refused == read - produced
    record = pl.read_parquet(tmp_path / "record" / "*.parquet")
    assert record["event_id"].n_unique() == produced


def test_the_samples_revenue_is_exact_to_the_penny() -> None:
    with gzip.open(SAMPLES / "online-retail.csv.gz", "rt") as stream:
        rows = pl.read_csv(stream.read().encode(), infer_schema=False).rows(named=True)
    paid = [Decimal(row["UnitPrice"]) * int(row["Quantity"]) for row in rows if Decimal(row["UnitPrice"]) > 0]
    mapping = load_mapping("online-retail")
    events = convert(read_rows(SAMPLES / "online-retail.csv.gz", mapping), mapping, "s").events
    assert sum(Decimal(p) * q for p, q in events.select("price", "quantity").iter_rows()) == sum(paid)


def test_at_sixty_times_the_speed_an_hour_takes_a_minute_and_shifted_events_carry_the_present(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(RETAIL + SALE + SALE.replace("08:26", "08:56") + SALE.replace("08:26", "09:26"))
    clock = ManualClock()
    began = clock.now()
    report = run(settings, ReplayOptions(log, "online-retail", "60x", shift_to_now=True), tmp_path / "r", clock)
    assert report.events_produced == 3
    assert clock.elapsed == pytest.approx(60, abs=0.3)
    assert datetime.fromisoformat(report.last_event_at or "") == began + timedelta(seconds=60)
    assert datetime.fromisoformat(report.first_event_at or "") == began - timedelta(minutes=59)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "nope"}, "apache-access, cookie-cats, ecom-synthetic, online-retail, shop-clickstream"),
        ({"format": "missing.yml"}, "no such file"),
        ({"file": Path("missing.csv")}, "missing.csv"),
        ({"speed": "fast"}, "60x"),
        ({"speed": "0x"}, "above 0"),
        ({"format": "cookie-cats"}, "has no column"),
        ({"file": SAMPLES / "apache-access.log.gz"}, "has no column"),
    ],
)
def test_bad_input_is_the_users_mistake_in_one_sentence(
    change: dict[str, object], named: str, settings: Settings, tmp_path: Path
) -> None:
    options = ReplayOptions(**({"file": SAMPLES / "online-retail.csv.gz", "format": "online-retail"} | change))
    with pytest.raises(UserError, match=named):
        run(settings, options, tmp_path / "r", ManualClock())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: [", "not a valid mapping"),
        ("description: d\nfile: csv\nspelled_rong: 1", "spelled_rong"),
        ("description: d\nfile: csv\ntime: {column: t}\nfields: {}", "event_type"),
    ],
)
def test_a_broken_mapping_is_refused_with_what_is_wrong(text: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "m.yml").write_text(text)
    with pytest.raises(UserError, match=named):
        load_mapping(str(tmp_path / "m.yml"))


@pytest.mark.parametrize("name", known())
def test_every_shipped_mapping_is_valid(name: str) -> None:
    assert load_mapping(name).description


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "its first line is not the names of its columns"),
        (b"\xff\xfe\x00\x01", "its first line is not the names of its columns"),
        (b"a,b\n", "has no column"),
    ],
)
def test_a_file_without_the_columns_is_refused_in_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_rows(tmp_path / "log.csv", load_mapping("online-retail"))
