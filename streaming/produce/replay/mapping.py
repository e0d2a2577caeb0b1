"""The mapping: one YAML file for each format, declarative, checked when it is loaded.

A field of the event comes from a column, a constant or a template, and can be translated; rows that
are no events are refused by a rule with a name. There are no expressions beyond that on purpose: a
mapping is read by the people whose log it is.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from contracts.errors import UserError
from contracts.event import FIELDS

FORMATS: Final = Path(__file__).parent.parent / "formats"
_NEEDED: Final = ("event_type", "user_id")
_GIVEN: Final = ("event_id", "timestamp", "properties")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A misspelt key is an error, not something silently without effect."""


class Case(_Strict, frozen=True):
    """When `column` matches the regular expression, the field is `then`."""

    column: str
    matches: str
    then: str


class Field(_Strict, frozen=True):
    """Where one field of the event comes from: exactly one of `column`, `constant` and `template`.

    Args:
        column: take this column's text.
        constant: the same text in each row.
        template: text with `{Column}` in it.
        remove: cut what this regular expression matches.
        absent: texts that mean "nothing" (the empty one always does).
        values: translation of texts; what is not listed stays, or is refused when `only_values`.
        only_values: refuse the row when `values` does not list the text.
        cases: looked at first, in order; the first that matches wins.
        empty: where to look instead when there is nothing.
    """

    column: str | None = None
    constant: str | None = None
    template: str | None = None
    remove: str | None = None
    absent: tuple[str, ...] = ()
    values: dict[str, str] = {}
    only_values: bool = False
    cases: tuple[Case, ...] = ()
    empty: Field | None = None


class Refusal(_Strict, frozen=True):
    """Rows that are no events: `column` matches, or is a number of at most `at_most`."""

    reason: str
    column: str
    matches: str | None = None
    at_most: str | None = None


class Time(_Strict, frozen=True):
    """How time is written: a column, with strptime's format or an epoch; or made up for a log without.

    Args:
        column: the column; None when the log has no time.
        format: strptime's codes, or `epoch_s`, `epoch_ms`, `epoch_us`.
        zone: the zone of times that name none.
        start, step_seconds: made-up times: the first row's, and the distance from row to row.
    """

    column: str | None = None
    format: str | None = None
    zone: str = "UTC"
    start: datetime | None = None
    step_seconds: float = 1.0


class Mapping(_Strict, frozen=True):
    """One format.

    Args:
        description: what it is, for people.
        file: how rows are written: `csv` (with a header), `parquet`, `ndjson`, or `lines` of `regex`.
        time: how time is written.
        fields: event field -> where it comes from.
        regex: for `lines`: a regular expression whose named groups are the columns.
        encoding: of the text.
        properties: columns kept as they are in the event's `properties`.
        refuse: rules for rows that are no events.
    """

    description: str
    file: Literal["csv", "parquet", "ndjson", "lines"]
    time: Time
    fields: dict[str, Field]
    regex: str | None = None
    encoding: str = "utf-8"
    properties: tuple[str, ...] = ()
    refuse: tuple[Refusal, ...] = ()

    def columns(self) -> set[str]:
        """Return every column the mapping speaks of."""
        found = {*self.properties, *(rule.column for rule in self.refuse)}
        if self.time.column is not None:
            found.add(self.time.column)
        for field in self.fields.values():
            found |= _columns(field)
        return found


def load_mapping(name: str) -> Mapping:
    """Return the mapping called `name`, or the one in the file `name` (a path to a .yml).

    Raises:
        UserError: there is none, or it is not a valid mapping.
    """
    is_path = name.endswith((".yml", ".yaml"))
    path = Path(name) if is_path else FORMATS / f"{name}.yml"
    if not path.is_file():
        raise UserError(
            f"--format {name}: {'no such file' if is_path else 'no such format'}; known: {', '.join(known())}"
        )
    try:
        mapping = msgspec.convert(yaml.safe_load(path.read_text("utf-8")), Mapping)
    except (msgspec.ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--format {name}: not a valid mapping: {' '.join(str(error).split())}") from error
    problem = _problem(mapping)
    if problem is not None:
        raise UserError(f"--format {name}: not a valid mapping: {problem}")
    return mapping


def known() -> list[str]:
    """Return the names of the formats that come with the project."""
    return sorted(path.stem for path in FORMATS.glob("*.yml"))


def _problem(mapping: Mapping) -> str | None:
    """Return what is wrong beyond types, in words; None when nothing is."""
    unknown = set(mapping.fields) - set(FIELDS) | set(mapping.fields) & set(_GIVEN)
    missing = [name for name in _NEEDED if name not in mapping.fields]
    if unknown or missing:
        named = ", ".join(sorted(unknown) or missing)
        return f"fields: {named}: {'is not a field that can be mapped' if unknown else 'is needed'}"
    if (mapping.file == "lines") != (mapping.regex is not None):
        return "regex: belongs to `file: lines`, and only there"
    if (mapping.time.column is None) == (mapping.time.start is None):
        return "time: needs either a column (with its format) or a start"
    if mapping.time.column is not None and mapping.time.format is None:
        return "time: needs a format beside the column"
    for name, field in mapping.fields.items():
        if sum(source is not None for source in (field.column, field.constant, field.template)) != 1:
            return f"fields: {name}: needs exactly one of column, constant and template"
    return _bad_regex(mapping)


def _bad_regex(mapping: Mapping) -> str | None:
    patterns = [mapping.regex, *(rule.matches for rule in mapping.refuse)]
    for field in mapping.fields.values():
        patterns += [field.remove, *(case.matches for case in field.cases)]
    for pattern in patterns:
        try:
            re.compile(pattern or "")
        except re.error as error:
            return f"regular expression {pattern!r}: {error}"
    return None


def _columns(field: Field) -> set[str]:
    found = {case.column for case in field.cases}
    if field.column is not None:
        found.add(field.column)
    if field.template is not None:
        found |= set(re.findall(r"{(\w+)}", field.template))
    return found | (_columns(field.empty) if field.empty else set())
