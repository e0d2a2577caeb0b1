"""(b) ClickHouse's own way: a table of the Kafka engine, and a materialized view into `raw.events`.

Two mappings make the same rows. `JSONEachRow` is the one of ClickHouse's documentation: the engine fills
typed columns, message by message. `RawBLOB` takes the message as one column and lets the view read its JSON
with one `JSONExtract` of a whole block, which is about twice as fast. All events of the simulator are in
UTC, so neither spends time on the zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.event import PRICE_SCALE, TEXT_FIELDS
from contracts.names import RAW_EVENTS
from contracts.settings import Settings

BY_ROW: Final = "JSONEachRow"
BY_BLOCK: Final = "RawBLOB"
_QUEUE: Final = "raw.bench_queue"
_VIEW: Final = "raw.bench_view"
_TEXTS: Final = ", ".join(f"{name} String" for name in TEXT_FIELDS)
_REST: Final = f"price Nullable(Decimal(18, {PRICE_SCALE})), quantity Nullable(Int32), properties String"
_LANDING: Final = (
    "_topic AS kafka_topic, toUInt32(_partition) AS kafka_partition, _offset AS kafka_offset, "
    "assumeNotNull(_timestamp_ms) AS kafka_timestamp, now64(3) AS ingested_at"
)
_TYPED: Final = f"event_id UUID, event_type String, timestamp DateTime64(6, 'UTC'), user_id String, {_TEXTS}, {_REST}"
_TUPLE: Final = f"Tuple(event_id UUID, event_type String, timestamp String, user_id String, {_TEXTS}, {_REST})"
_SELECT_BY_ROW: Final = (
    f"SELECT event_id, event_type, timestamp AS event_time, toInt16(0) AS event_utc_offset, user_id, "  # noqa: S608
    f"{', '.join(TEXT_FIELDS)}, price, quantity, properties, {_LANDING} FROM {_QUEUE}"
)
_SELECT_BY_BLOCK: Final = (
    f"WITH JSONExtract(message, '{_TUPLE}') AS event "  # noqa: S608 - constant names
    "SELECT event.event_id AS event_id, event.event_type AS event_type, "
    "parseDateTime64BestEffort(event.timestamp, 6, 'UTC') AS event_time, toInt16(0) AS event_utc_offset, "
    f"event.user_id AS user_id, {', '.join(f'event.{name} AS {name}' for name in TEXT_FIELDS)}, "
    f"event.price AS price, event.quantity AS quantity, event.properties AS properties, {_LANDING} FROM {_QUEUE}"
)
_MAPPINGS: Final = {
    BY_ROW: (
        _TYPED,
        _SELECT_BY_ROW,
        {"date_time_input_format": "'best_effort'", "input_format_json_read_objects_as_strings": "1"},
    ),
    BY_BLOCK: ("message String", _SELECT_BY_BLOCK, {}),
}


@dataclass(frozen=True)
class Tuning:
    """How the engine's table is set up.

    Args:
        mapping: `JSONEachRow` or `RawBLOB`.
        consumers: kafka_num_consumers, each with a thread of its own.
        block: kafka_max_block_size in rows; 0 leaves the engine's default.
    """

    mapping: str
    consumers: int
    block: int

    def __str__(self) -> str:
        return f"{self.mapping}, {self.consumers} consumers, blocks of {f'{self.block:,}' if self.block else 'default'}"


class KafkaEngine:
    """The engine's table and its view, for the time of one run.

    Args:
        client: may create tables.
        tuning: its set-up.
        name: shown in the report.
    """

    def __init__(self, client: Client, tuning: Tuning, name: str = "kafka_engine") -> None:
        self.name = name
        self._client = client
        self._tuning = tuning

    def start(self, settings: Settings) -> list[int]:
        """Create both; the engine begins to read when the view is there. It has no process of its own."""
        self.stop()
        columns, select, formats = _MAPPINGS[self._tuning.mapping]
        options = self._options(settings) | formats
        listed = ", ".join(f"{key} = {value}" for key, value in options.items())
        self._client.command(f"CREATE TABLE {_QUEUE} ({columns}) ENGINE = Kafka SETTINGS {listed}")
        self._client.command(f"CREATE MATERIALIZED VIEW {_VIEW} TO {RAW_EVENTS} AS {select}")
        return []

    def stop(self) -> None:
        """Drop both."""
        for table in (_VIEW, _QUEUE):
            self._client.command(f"DROP TABLE IF EXISTS {table} SYNC")

    def _options(self, settings: Settings) -> dict[str, str]:
        tuning = self._tuning
        options = {
            "kafka_broker_list": f"'{settings.kafka_broker_url}'",
            "kafka_topic_list": f"'{settings.kafka_topic}'",
            "kafka_group_name": f"'{settings.kafka_group_id}'",
            "kafka_format": f"'{tuning.mapping}'",
            "kafka_num_consumers": str(tuning.consumers),
            "kafka_thread_per_consumer": str(int(tuning.consumers > 1)),
            # More consumers than cores are allowed, so that 4 can be tried anywhere.
            "kafka_disable_num_consumers_limit": "1",
            # The last block is flushed after ten empty polls: with the default of 500 ms that would cost
            # the engine five seconds at the end of the topic.
            "kafka_poll_timeout_ms": "50",
        }
        return options | ({"kafka_max_block_size": str(tuning.block)} if tuning.block else {})
