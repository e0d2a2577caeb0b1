"""What the tests of the archive share: days with odd rows, an archive of the test's own, and what a day holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from clickhouse_connect.driver.client import Client

from archive.place import Archive
from archive.tables import TABLES
from audit.audit import audit
from audit.report import Report
from contracts.clock import ManualClock
from contracts.settings import Settings

DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
TOPIC = "clicks"

# Texts, NULLs, decimals and times at their ends; offsets 0 to 99 of two partitions, every tenth a dead letter.
_EVENTS = """
INSERT INTO raw.events (event_id, event_type, event_time, event_utc_offset, user_id, search_query, page_url, price,
    quantity, properties, kafka_topic, kafka_partition, kafka_offset, kafka_timestamp, ingested_at)
SELECT
    multiIf(number = 1, toUUID('00000000-0000-0000-0000-000000000000'),
        number = 2, toUUID('ffffffff-ffff-ffff-ffff-ffffffffffff'), generateUUIDv4()),
    ['page_view', 'kauf 🛒', ''][number % 3 + 1],
    toDateTime64(['1969-12-31 23:59:59.999999', '2262-04-11 01:02:03.000001'][number % 2 + 1], 6, 'UTC'),
    [0, -720, 840, -32768][number % 4 + 1],
    concat('ü', toString(number)),
    ['', 'ÅÄÖ \\\\ \\' \\0', '日本語', '\\\\N', 'NULL'][number % 5 + 1],
    repeat('x', number * 40),
    toDecimal64OrNull(['', '0.000001', '-999999999999.999999', '999999999999.999999'][number % 4 + 1], 6),
    [NULL, 0, -2147483648, 2147483647][number % 4 + 1],
    '{"a":"\\\\u0000 é"}', {topic:String}, part, {base:UInt64} + number,
    toDateTime64({day:String}, 3, 'UTC') + number / 1000,
    toDateTime64({day:String}, 3, 'UTC') + intDiv(number, 40) * 86399.999 / 2
FROM numbers(100) ARRAY JOIN [0, 7] AS part WHERE number % 10 != 3"""
_LETTERS = """
INSERT INTO raw.dead_letters
SELECT [NULL, unhex('FF00FE'), '', '{"broken'][intDiv(number, 10) % 4 + 1], if(number = 3, NULL, unhex('C3')),
    [[], [('trace', unhex('FF')), ('empty', NULL)], [('', '')]][intDiv(number, 10) % 3 + 1],
    {topic:String}, part, {base:UInt64} + number, toDateTime64({day:String}, 3, 'UTC'), 'not_json', 'Grund: ß',
    toDateTime64({day:String}, 3, 'UTC') + 0.001
FROM numbers(100) ARRAY JOIN [0, 7] AS part WHERE number % 10 = 3"""


def fill(client: Client, day: date = DAY, base: int = 0) -> None:
    """Land 180 events and 20 dead letters on `day`, at the offsets from `base` on."""
    parameters = {"topic": TOPIC, "day": day.isoformat(), "base": base}
    client.command(_EVENTS, parameters=parameters)
    client.command(_LETTERS, parameters=parameters)


def fold_in(client: Client) -> None:
    """Say that a model has read all events that landed."""
    client.command("TRUNCATE TABLE ops.model_watermarks")
    client.command(
        "INSERT INTO ops.model_watermarks (model, kafka_topic, kafka_partition, kafka_offset, since) "
        "SELECT 'int_events', kafka_topic, kafka_partition, max(kafka_offset), now64(3) FROM raw.events GROUP BY ALL"
    )


def make_archive(client: Client, settings: Settings, home: Path, at: Callable[[str], None] = lambda _: None) -> Archive:
    """An archive below `home`, on the 20th of March."""
    own = settings.model_copy(update={"millrace_home": home, "clickhouse_cluster": ""})
    return replace(Archive.of(own, client, ManualClock(NOW)), at=at)


def whole_rows(client: Client, day: date = DAY) -> dict[str, tuple[int, int]]:
    """Count and hash of all columns of each row of a day as text (a hash of a NULL would be none), by table."""
    query = "SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM {table} WHERE toDate(ingested_at) = {{day:Date}}"
    return {
        table.name: tuple(client.query(query.format(table=table.name), parameters={"day": day}).result_rows[0])  # type: ignore[misc]
        for table in TABLES
    }


def audited(client: Client) -> Report:
    """The audit of ClickHouse alone."""
    return audit(client, [TOPIC], None)


class Crash(Exception):
    """What a test's program dies of."""


def crashing(step: str) -> Callable[[str], None]:
    """An `at` that dies before the step."""

    def at(reached: str) -> None:
        if reached == step:
            raise Crash(step)

    return at
