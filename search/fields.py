"""What an event can be searched by, and the SQL of each field. Values are bound by the caller, never written here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from contracts.errors import UserError
from contracts.event import RAW_COLUMNS

Kind = Literal["text", "uuid", "int", "decimal", "time"]

PROPERTIES: Final = "properties"
# The expression of the index `words` in sql/migrations/0010_search.sql; ClickHouse takes the index for no other.
_UNESCAPED: Final = (
    r"""if(position(properties, '\\') = 0, properties, coalesce(nullIf(JSONExtractString(concat('["', translate("""
    r"""replaceAll(replaceAll(properties, '\\\\', ' '), '\\"', ' '), '"\n\r\t', '    '), '"]'), 1), ''), properties))"""
)
_INDEXED: Final = ("user_id", "session_id", "item_id", "page_url", "search_query", "element_id")
TEXT: Final = f"lowerUTF8(concatWithSeparator(' ', {', '.join(_INDEXED)}, {_UNESCAPED}))"
WORDS: Final = f"tokens({TEXT})"

_KINDS: Final[dict[str, Kind]] = {
    "event_id": "uuid",
    "event_time": "time",
    "event_utc_offset": "int",
    "price": "decimal",
    "quantity": "int",
    "kafka_partition": "int",
    "kafka_offset": "int",
    "kafka_timestamp": "time",
    "ingested_at": "time",
}
# Short names for what people look for most.
ALIASES: Final = {"user": "user_id", "session": "session_id", "item": "item_id", "query": "search_query"}
_DEPTH: Final = 10


@dataclass(frozen=True)
class Field:
    """A thing that an event has.

    Args:
        name: as the user may write it.
        kind: of its values.
        keys: of the property, from the outermost; empty for a column.
        operators: that it understands.
        indexed: whether the index `words` has its words.
    """

    name: str
    kind: Kind = "text"
    keys: tuple[str, ...] = ()
    operators: tuple[str, ...] = ("=", "!=", "~")
    indexed: bool = False

    def sql(self, prefix: str) -> tuple[str, dict[str, str]]:
        """Return the field's value as SQL, and the parameters it needs, whose names begin with `prefix`."""
        if not self.keys:
            return self.name, {}
        names = {f"{prefix}k{index}": key for index, key in enumerate(self.keys)}
        path = ", ".join(f"{{{name}:String}}" for name in names)
        nested = f"JSONExtractString(properties, {path})"
        if len(self.keys) == 1:
            return nested, names
        # A client may also have written the dots into one key.
        dotted = f"{prefix}d"
        return (
            f"if(JSONHas(properties, {path}), {nested}, JSONExtractString(properties, {{{dotted}:String}}))",
            {**names, dotted: ".".join(self.keys)},
        )


def find(name: str) -> Field:
    """Return the field of that name.

    Raises:
        UserError: there is none.
    """
    name = ALIASES.get(name, name)
    if name == "text":
        return Field(name, operators=("~",), indexed=True)
    if name == "page":
        return Field(name, indexed=True)
    if name in RAW_COLUMNS:
        kind = _KINDS.get(name, "text")
        operators = ("=", "!=", "~") if kind == "text" else ("=", "!=")
        return Field(name, kind, operators=operators, indexed=name in _INDEXED or name == PROPERTIES)
    first, *keys = name.split(".")
    if first == PROPERTIES and keys and all(keys) and len(keys) <= _DEPTH:
        return Field(name, keys=tuple(keys), indexed=True)
    raise UserError(f"there is no field {name!r}; there are {known()}")


def known() -> str:
    """Return the names of the fields for a message."""
    return f"text, page, {', '.join(ALIASES)}, properties.KEY, {', '.join(RAW_COLUMNS)}"
