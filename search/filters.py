"""The language of `--where`: FIELD=VALUE, FIELD!=VALUE and FIELD~TEXT, WORDS, joined by AND."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from contracts.errors import UserError
from search.fields import TEXT, WORDS, Field, find

_TERM: Final = re.compile(r"\s*([^\s=!~\"']+)\s*(!=|=|~)\s*")
_QUOTED: Final = re.compile(r"\"((?:[^\"]|\"\")*)\"|'((?:[^']|'')*)'")
_AND: Final = re.compile(r"\s+AND(?=\s|$)")
_FORM: Final = "write FIELD=VALUE, FIELD!=VALUE or FIELD~WORDS, joined by AND"
_TEXT_SIZE: Final = 10_000
_TERMS: Final = 50
_INT64: Final = 2**63
_DECIMAL: Final = Decimal(10) ** 12

Value = str | int


@dataclass(frozen=True)
class Term:
    """One test of an event.

    Args:
        field: that is tested.
        operator: =, != or ~ (has all these words, in any case and order).
        value: checked, as it is bound: text, and a time as microseconds since 1970.
    """

    field: Field
    operator: str
    value: Value

    def where(self, prefix: str) -> tuple[list[str], list[str], dict[str, Value]]:
        """Return SQL conditions that must all hold and their parameters, whose names begin with `prefix`.

        The first are cheap to test, the second are those that the index understands.
        """
        parameters: dict[str, Value] = {f"{prefix}v": self.value}
        bound = f"tokens(lowerUTF8({{{prefix}v:String}}))"
        # What has no words in it is left to the exact test.
        has_index = self.field.indexed and self.operator != "!=" and _has_words(self.value)
        indexed = [f"hasAll({WORDS}, {bound})"] if has_index else []
        if self.field.name == "text":
            # To look for the longest word's letters takes half of the time of cutting each text into words.
            letters = f"position({TEXT}, arraySort(word -> -length(word), {bound})[1]) > 0"
            return [letters] if has_index else [], indexed, parameters
        column, names = self.field.sql(prefix)
        parameters |= names
        if self.operator == "~":
            text = "page_url" if self.field.name == "page" else f"CAST({column}, 'String')"
            return [f"hasAll(tokens(lowerUTF8({text})), {bound})"], indexed, parameters
        equals = self._equals(column, prefix)
        return [f"NOT {equals}" if self.operator == "!=" else equals], indexed, parameters

    def _equals(self, column: str, prefix: str) -> str:
        name = f"{prefix}v"
        if self.field.name == "page":
            # The path of an address; also when the client sent no more than that.
            return f"(path(page_url) = {{{name}:String}} OR page_url = {{{name}:String}})"
        right = {
            "text": f"{{{name}:String}}",
            "uuid": f"toUUID({{{name}:String}})",
            "int": f"{{{name}:Int64}}",
            "decimal": f"toDecimal64({{{name}:String}}, 6)",
            "time": f"fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')",
        }[self.field.kind]
        return f"ifNull({column} = {right}, false)"


def parse(texts: Sequence[str]) -> tuple[Term, ...]:
    """Return the terms in what the user wrote; all of them must hold.

    A value ends at ` AND `, or is put in single or double quotes, which are doubled inside.

    Raises:
        UserError: it cannot be read, names no field, or a value is none of its field's.
    """
    terms = tuple(term for text in texts for term in _terms(text))
    if len(terms) > _TERMS:
        raise UserError(f"--where: {len(terms)} terms, at most {_TERMS} are taken")
    return terms


def _terms(text: str) -> list[Term]:
    terms, rest = [], text
    while True:
        found = _TERM.match(rest)
        if found is None:
            raise UserError(f"--where {text!r}: {_FORM}")
        value, rest = _value(rest[found.end() :], text)
        terms.append(_checked(found.group(1), found.group(2), value))
        if not rest.strip():
            return terms
        joint = _AND.match(rest)
        if joint is None:
            raise UserError(f"--where {text!r}: {_FORM}")
        rest = rest[joint.end() :]


def _value(rest: str, whole: str) -> tuple[str, str]:
    if rest[:1] in {"'", '"'}:
        quoted = _QUOTED.match(rest)
        if quoted is None:
            raise UserError(f"--where {whole!r}: a quote is not closed")
        mark = rest[0]
        return quoted.group(0)[1:-1].replace(mark * 2, mark), rest[quoted.end() :]
    joint = _AND.search(rest)
    end = joint.start() if joint else len(rest)
    return rest[:end].strip(), rest[end:]


def _checked(name: str, operator: str, text: str) -> Term:
    field = find(name)
    if operator not in field.operators:
        raise UserError(f"{name}{operator}{text}: for {name} there are {', '.join(field.operators)}")
    if len(text) > _TEXT_SIZE or "\0" in text:
        raise UserError(f"{name}{operator}…: a value has at most {_TEXT_SIZE:,} characters, and no zero bytes")
    if operator == "~" and not _has_words(text):
        raise UserError(f"{name}~{text}: there is no word in it; for other characters use =")
    try:
        return Term(field, operator, _converted(field, text))
    except (ValueError, OverflowError, InvalidOperation):
        kinds = {"uuid": "a UUID", "int": "a whole number", "decimal": "a number", "time": "an ISO 8601 time"}
        raise UserError(f"{name}{operator}{text}: the value of {name} is {kinds[field.kind]}") from None


def _converted(field: Field, text: str) -> Value:
    if field.kind == "uuid":
        return str(UUID(text))
    if field.kind == "int":
        number = int(text)
        if not -_INT64 <= number < _INT64:
            raise ValueError
        return number
    if field.kind == "decimal":
        price = Decimal(text)
        if not price.is_finite() or abs(price) >= _DECIMAL:
            raise ValueError
        return f"{price:f}"
    if field.kind == "time":
        moment = datetime.fromisoformat(text)
        return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return text


def _has_words(text: Value) -> bool:
    # The index splits at every ASCII character that is neither a letter nor a digit.
    return any(each.isalnum() or not each.isascii() for each in str(text))


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
