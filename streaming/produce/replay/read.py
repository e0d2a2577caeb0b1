"""Files into rows of text: CSV, Parquet, NDJSON or lines of a regular expression, plain or gzip.

Every row of the file comes out, as text columns or as a refusal with its line number. Numbers stay
the text they were written as: money never becomes a float.
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import msgspec
import polars as pl

from contracts.errors import UserError
from streaming.produce.replay.mapping import Mapping

_GZIP: Final = b"\x1f\x8b"
# Names no log uses for its own columns: the row's number (1 is the first data row) and its line.
ROW: Final = "__row"
LINE: Final = "__line"

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass
class Rows:
    """What a file holds.

    Args:
        table: text columns, with `ROW` and `LINE`.
        refused: reason -> line numbers of rows that could not even be split into columns.
    """

    table: pl.DataFrame
    refused: dict[str, list[int]] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """Rows in the file, the refused ones included."""
        return self.table.height + sum(map(len, self.refused.values()))


def read_rows(path: Path, mapping: Mapping) -> Rows:
    """Return all rows of `path`, written as `mapping` says.

    Raises:
        UserError: the file is missing, cannot be read, or lacks a column the mapping speaks of.
    """
    try:
        rows = _parquet(path) if mapping.file == "parquet" else _text_rows(path, mapping)
    except (OSError, EOFError, pl.exceptions.PolarsError, csv.Error, LookupError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
        raise UserError(f"{path}: cannot be read as {mapping.file}: {reason}") from error
    missing = mapping.columns() - set(rows.table.columns)
    if missing:
        raise UserError(f"{path}: has no column {', '.join(sorted(missing))}; is it the right --format?")
    return rows


def _parquet(path: Path) -> Rows:
    table = pl.read_parquet(path)
    text = table.select(pl.all().cast(pl.String)).with_row_index(ROW, offset=1)
    return Rows(text.with_columns(pl.col(ROW).cast(pl.Int64), pl.col(ROW).cast(pl.Int64).alias(LINE)))


def _text_rows(path: Path, mapping: Mapping) -> Rows:
    columns: list[str] = sorted(mapping.columns()) if mapping.file == "ndjson" else []
    split: list[list[str | None]] = []
    numbers: list[tuple[int, int]] = []
    refused: dict[str, list[int]] = {}
    with _open(path) as stream:
        for number, (line, found) in enumerate(_parsed(stream, mapping, columns)):
            if isinstance(found, str):
                refused.setdefault(found, []).append(line)
            else:
                split.append(found)
                numbers.append((number + 1, line))
    table = pl.DataFrame(split, schema=dict.fromkeys(columns, pl.String), orient="row")
    return Rows(
        table.with_columns(
            pl.Series(ROW, [row for row, _ in numbers], dtype=pl.Int64),
            pl.Series(LINE, [line for _, line in numbers], dtype=pl.Int64),
        ),
        refused,
    )


def _open(path: Path) -> gzip.GzipFile | IO[bytes]:
    """Open a plain or gzip file; what it is shows in its first bytes, not in its name."""
    with path.open("rb") as start:
        zipped = start.read(2) == _GZIP
    return gzip.open(path, "rb") if zipped else path.open("rb")


#: A row's line number, and its columns or the reason why it has none.
_Parsed = Iterator[tuple[int, "list[str | None] | str"]]


def _parsed(stream: Iterable[bytes], mapping: Mapping, columns: list[str]) -> _Parsed:
    if mapping.file == "csv":
        return _csv(stream, mapping.encoding, columns)
    if mapping.file == "ndjson":
        return _ndjson(stream, columns)
    pattern = re.compile(mapping.regex or "")
    columns.extend(pattern.groupindex)
    return _lines(stream, mapping.encoding, pattern)


def _csv(stream: Iterable[bytes], encoding: str, columns: list[str]) -> _Parsed:
    # Bytes that are not text in this encoding survive as surrogates, so that only their row is refused.
    reader = csv.reader((line.decode(encoding, "surrogateescape") for line in stream), strict=False)
    names = next(reader, [])
    if not names or not _is_text("".join(names)):
        raise LookupError(f"its first line is not the names of its columns in {encoding}")
    columns.extend(name.removeprefix("\ufeff") for name in names)
    width = len(columns)
    for row in reader:
        if not row:
            continue  # an empty line is no row
        if len(row) != width:
            yield reader.line_num, "wrong_number_of_columns"
        elif not _is_text("".join(row)):
            yield reader.line_num, "not_text"
        else:
            yield reader.line_num, list(row)


def _ndjson(stream: Iterable[bytes], columns: list[str]) -> _Parsed:
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
            yield number, [_json_text(row.get(name)) for name in columns]
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield number, "not_json"


def _json_text(raw: msgspec.Raw | None) -> str | None:
    """Return a JSON string's text, and anything else as it is written; null is nothing."""
    text = b"null" if raw is None else bytes(raw)
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else text.decode()


def _lines(stream: Iterable[bytes], encoding: str, pattern: re.Pattern[str]) -> _Parsed:
    names = list(pattern.groupindex)
    for number, line in enumerate(stream, start=1):
        text = line.decode(encoding, "surrogateescape").rstrip("\r\n")
        if not text:
            continue
        found = pattern.fullmatch(text)
        if found is None:
            yield number, "not_in_format"
        elif not _is_text(text):
            yield number, "not_text"
        else:
            yield number, [found[name] for name in names]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
