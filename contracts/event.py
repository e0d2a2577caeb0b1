"""The event: what a client may send on Kafka (JSON, key = `user_id`) and what a raw row holds.

Producer and ingest agree on this file and on nothing else. Times are UTC; money is decimal, never
a float; identifiers are text, exactly as the client wrote them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, get_args

REQUIRED: Final = ("event_id", "event_type", "timestamp", "user_id")

# Optional fields that are stored as text; absent and empty are the same thing ('').
TEXT_FIELDS: Final = (
    "session_id",
    "item_id",
    "item_category",
    "currency",
    "page_url",
    "referrer",
    "user_agent",
    "ip_address",
    "country",
    "device_type",
    "device_name",
    "viewport_size",
    "search_query",
    "element_id",
    "experiment_name",
    "experiment_variation",
)
OPTIONAL: Final = (*TEXT_FIELDS, "price", "quantity", "properties")
FIELDS: Final = (*REQUIRED, *OPTIONAL)

# Spellings other people's trackers use. The canonical name wins when both are present; the other
# one then goes to `properties` like any unknown field, so that nothing sent is lost.
ALIASES: Final = {
    "interaction_type": "event_type",
    "product_id": "item_id",
    "product_category": "item_category",
}
# Identifiers may arrive as JSON strings or numbers; a number keeps the digits the client wrote.
ID_FIELDS: Final = ("user_id", "session_id", "item_id", "element_id")

# The simulator's mix. The type is open: any non-empty text is a valid event type.
EVENT_TYPE_WEIGHTS: Final = {
    "page_view": 35.0,
    "click": 20.0,
    "scroll": 15.0,
    "hover": 8.0,
    "add_to_cart": 6.0,
    "search": 4.0,
    "login": 2.5,
    "share": 1.0,
    "purchase": 0.8,
}

# `price` is Decimal(18, PRICE_SCALE) in every table: one unit's price, not the line's.
PRICE_SCALE: Final = 6
PRICE_LIMIT: Final = Decimal(10) ** 12
QUANTITY_LIMIT: Final = 2**31 - 1

RejectReason = Literal[
    "null_value",
    "too_large",
    "not_utf8",
    "not_json",
    "not_an_object",
    "missing_field",
    "wrong_type",
    "bad_timestamp",
    "timestamp_out_of_range",
    "unknown_envelope",
]
REJECT_REASONS: Final[tuple[str, ...]] = get_args(RejectReason)

# Columns of raw.events in insert order: the client's fields, then where and when each row landed.
# `timestamp` is stored as `event_time` (DateTime64(6, 'UTC')) and `event_utc_offset` (minutes).
LANDING_COLUMNS: Final = (
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "kafka_timestamp",
    "ingested_at",
)
RAW_COLUMNS: Final = (
    "event_id",
    "event_type",
    "event_time",
    "event_utc_offset",
    "user_id",
    *TEXT_FIELDS,
    "price",
    "quantity",
    "properties",
    *LANDING_COLUMNS,
)
DEAD_LETTER_COLUMNS: Final = (
    "payload",
    "key",
    "headers",
    "kafka_topic",
    "kafka_partition",
    "kafka_offset",
    "kafka_timestamp",
    "error_class",
    "error_text",
    "ingested_at",
)
