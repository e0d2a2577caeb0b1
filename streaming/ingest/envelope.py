"""Recognise what other systems wrap events in, so that a dead letter says what to mend instead of 'not JSON'."""

from __future__ import annotations

from typing import Final

import msgspec

_MAGIC: Final = (
    (b"\x00", "a schema registry's binary format (Avro, Protobuf or JSON Schema)"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x04\x22\x4d\x18", "LZ4"),
)
# The fields that give an envelope away, all of them at the top level.
_JSON: Final = (
    (frozenset({"schema", "payload"}), "Kafka Connect's JSON with its schema"),
    (frozenset({"before", "after", "op"}), "a Debezium change event"),
    (frozenset({"specversion", "type", "source"}), "a CloudEvent"),
)
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ADVICE: Final = "send the event itself, as plain JSON"


def envelope_of(value: bytes) -> str | None:
    """Return what a message that is no event looks like and what to do, or None when it looks like nothing known."""
    for magic, name in _MAGIC:
        if value.startswith(magic):
            return f"the value looks like {name}: {_ADVICE}"
    try:
        fields = _FIELDS.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for names, name in _JSON:
        if names <= fields.keys():
            return f"the value looks like {name}: {_ADVICE}"
    return None
