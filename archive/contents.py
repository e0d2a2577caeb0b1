"""What rows hold, as numbers that ClickHouse and DuckDB reckon each for itself.

Offsets by Kafka partition: lowest, highest, count, sum and sum of squares. And for each column
`sum(value XOR row) mod 2^64`, in any order of the rows: `row` is 64 bits of the MD5 of the row's place in Kafka, so
that two rows that swapped values differ too; `value` is a number as it is (two's complement; times in microseconds,
decimals in their last place), 64 bits of the MD5 of a text, and a constant for NULL. Such sums of disjoint rows add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from archive.tables import ON_DAY, Column
from contracts.errors import Permanent

WRAP: Final = 2**64
# What a NULL counts as: no text's hash but by an accident of 1 in 2^64.
_NULL: Final = 0x9E3779B97F4A7C15
_HEADERS: Final = "Array(Tuple(name String, value Nullable(String)))"
_OFFSETS: Final = "min(kafka_offset), max(kafka_offset), count(), sum(kafka_offset), sum(kafka_offset * kafka_offset)"

Place = tuple[str, int]


class Span(NamedTuple):
    """The offsets of one Kafka partition: lowest, highest, count, and sums that wrap around at 2^64."""

    first: int
    last: int
    rows: int
    total: int
    squares: int

    def plus(self, other: Span) -> Span:
        """Return both together; they have no offset in common."""
        return Span(
            min(self.first, other.first),
            max(self.last, other.last),
            self.rows + other.rows,
            (self.total + other.total) % WRAP,
            (self.squares + other.squares) % WRAP,
        )


Offsets = Mapping[Place, Span]


@dataclass(frozen=True)
class Contents:
    """What some rows hold.

    Args:
        offsets: by topic and partition.
        columns: the checksum of each column.
    """

    offsets: Offsets = field(default_factory=dict)
    columns: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(span.rows for span in self.offsets.values())

    def plus(self, other: Contents) -> Contents:
        """Return what both hold together; a column that one of them lacks is left out."""
        if not self.rows or not other.rows:
            return other if other.rows else self
        common = [name for name in self.columns if name in other.columns]
        columns = {name: (self.columns[name] + other.columns[name]) % WRAP for name in common}
        return Contents(added(self.offsets, other.offsets), columns)

    def difference(self, other: Contents) -> str | None:
        """Return in words where `other` differs, None when it is the same."""
        if self.rows != other.rows:
            return f"{other.rows:,} rows instead of {self.rows:,}"
        if dict(self.offsets) != dict(other.offsets):
            wrong = [
                place
                for place in {*self.offsets, *other.offsets}
                if self.offsets.get(place) != other.offsets.get(place)
            ]
            topic, partition = min(wrong)
            return f"other offsets in {topic}:{partition}"
        wrong_columns = [name for name in self.columns if self.columns[name] != other.columns.get(name)]
        return f"other values in {', '.join(wrong_columns)}" if wrong_columns and self.rows else None


def added(*several: Offsets) -> dict[Place, Span]:
    """Return the offsets of several sets of rows together."""
    found: dict[Place, Span] = {}
    for each in several:
        for place, span in each.items():
            found[place] = found[place].plus(span) if place in found else span
    return found


def offsets_on(client: Client, table: str, day: date) -> dict[Place, Span]:
    """Return the offsets of the rows of `table` that landed on `day`, from its projection; inside `mapped_errors`."""
    query = (
        f"SELECT kafka_topic, kafka_partition, {_OFFSETS} FROM {table} WHERE {ON_DAY} "  # noqa: S608 - constant names
        "GROUP BY kafka_topic, kafka_partition"
    )
    rows = client.query(query, parameters={"day": day}).result_rows
    return {(row[0], row[1]): Span(*row[2:]) for row in rows}


def contents_on(client: Client, table: str, day: date, columns: Iterable[Column]) -> Contents:
    """Return what the rows of `table` that landed on `day` hold, as ClickHouse sees it; inside `mapped_errors`.

    Reads these columns of the day; memory does not grow with it.

    Raises:
        Permanent: a column has a type that is not known here.
    """
    columns = tuple(columns)
    sums = ", ".join(f"sum(bitXor({_in_clickhouse(each)}, place_hash))" for each in columns)
    query = (
        "WITH reinterpretAsUInt64(MD5(concat(toString(kafka_topic), ':', toString(kafka_partition), ':', "  # noqa: S608
        f"toString(kafka_offset)))) AS place_hash SELECT {sums} FROM {table} WHERE {ON_DAY}"
    )
    offsets = offsets_on(client, table, day)
    if not columns:
        return Contents(offsets)
    row = client.query(query, parameters={"day": day}).result_rows[0]
    return Contents(offsets, {each.name: int(value) for each, value in zip(columns, row, strict=True)})


def duckdb_queries(columns: Iterable[Column], source: str) -> tuple[str, str]:
    """Return the same two questions for DuckDB about the relation `source`: offsets, and checksums in column order."""
    hugeint = "kafka_offset::HUGEINT"
    offsets = (
        "SELECT kafka_topic, kafka_partition, min(kafka_offset), max(kafka_offset), count(*), "  # noqa: S608 - ours
        f"sum({hugeint}) % {WRAP}, sum(({hugeint} * {hugeint}) % {WRAP}) % {WRAP} FROM {source} GROUP BY ALL"
    )
    place = _md5("kafka_topic || ':' || kafka_partition || ':' || kafka_offset")
    sums = ", ".join(f"sum(xor({_in_duckdb(each)}, place_hash)) % {WRAP}" for each in columns)
    return offsets, f"SELECT {sums} FROM (SELECT *, {place} AS place_hash FROM {source})"  # noqa: S608 - ours


def _kind(column: Column) -> tuple[str, bool]:
    """Return the column's kind and whether it may be NULL."""
    bare = re.sub(r"^LowCardinality\((.*)\)$", r"\1", column.type)
    inner = re.sub(r"^Nullable\((.*)\)$", r"\1", bare)
    kinds = {
        r"String": "text",
        r"UUID": "uuid",
        r"U?Int(8|16|32|64)": "integer",
        r"DateTime64\([0-6], 'UTC'\)": "time",
        r"Decimal\((1[0-8]|[1-9]), [0-9]\)": "decimal",
        re.escape(_HEADERS): "headers",
    }
    for pattern, kind in kinds.items():
        if re.fullmatch(pattern, inner):
            return kind, inner != bare
    raise Permanent(f"the archive does not know how to compare {column.name} of type {column.type}")


def _in_clickhouse(column: Column) -> str:
    kind, nullable = _kind(column)
    name = f"`{column.name}`"
    text = f"reinterpretAsUInt64(MD5(toString({name})))"
    headers = f"arrayStringConcat(arrayMap(h -> concat(hex(h.1), '=', ifNull(hex(h.2), '-'), ';'), {name}))"
    value = {
        "text": text,
        "uuid": text,
        "integer": f"toUInt64({name})",
        "time": f"toUInt64(toUnixTimestamp64Micro({name}))",
        "decimal": f"toUInt64(reinterpretAsInt64({name}))",
        "headers": f"reinterpretAsUInt64(MD5({headers}))",
    }[kind]
    return f"ifNull({value}, {_NULL})" if nullable else value


def _in_duckdb(column: Column) -> str:
    kind, nullable = _kind(column)
    name = f'"{column.name}"'
    headers = (
        f"coalesce(list_aggregate(list_transform({name}, lambda h: hex(h.name) || '=' || coalesce(hex(h.value), '-') "
        "|| ';'), 'string_agg', ''), '')"
    )
    value = {
        "text": _md5(name),
        "uuid": _md5(f"{name}::VARCHAR"),
        "integer": _unsigned(f"{name}::HUGEINT"),
        "time": _unsigned(f"epoch_us({name})::HUGEINT"),
        "decimal": _unsigned(
            f"({name}::DECIMAL(28, {_scale(column)}) * {10 ** _scale(column)}::DECIMAL(10, 0))::HUGEINT"
        ),
        "headers": _md5(headers),
    }[kind]
    return f"coalesce({value}, {_NULL}::UBIGINT)" if nullable else value


def _md5(text: str) -> str:
    """Return the first 8 bytes of the MD5; DuckDB's own macro for it does not use that columns repeat few values."""
    return f"(md5_number({text}) & {WRAP - 1}::UHUGEINT)::UBIGINT"


def _unsigned(hugeint: str) -> str:
    """Return a number as ClickHouse's toUInt64 has it: negative ones wrap around."""
    return f"(CASE WHEN {hugeint} < 0 THEN {hugeint} + {WRAP} ELSE {hugeint} END)::UBIGINT"


def _scale(column: Column) -> int:
    found = re.search(r"Decimal\(\d+, (\d+)\)", column.type)
    return int(found.group(1)) if found else 0
