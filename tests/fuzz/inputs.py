"""Everything that a client, or a broken one, might put on the topic."""

from __future__ import annotations

import json
import random
import uuid
from datetime import datetime, timedelta

from hypothesis import strategies as st

from contracts.event import ALIASES, FIELDS, ID_FIELDS, QUANTITY_LIMIT, REQUIRED, TEXT_FIELDS

SPELLINGS = {name: (name, *(other for other, own in ALIASES.items() if own == name)) for name in FIELDS}
_FIRST, _LAST = datetime(2000, 1, 2), datetime(2025, 12, 31)  # noqa: DTZ001 - the zone is drawn apart

texts = st.sampled_from(
    ["a", "", "0", "007", "17850.0", "Ünï", "😀", "\x00", "\x7f", "\u2028", '"\\', "null", "NaN", "x" * 300, " é "]
) | st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = """
0 -0 0.0 1e3 1E+2 17850.0 123456789012345678901234567890 9007199254740993 1.50 -1 2147483647 2147483648 -2147483648
0.1 0.000001 0.0000001 999999999999.999999 1e400 1e-400 1e99999999999999999999 0e99999999 18446744073709551616
1767261600123 1e12 -1.0e0 1767261600123.5 1.767261600123e12 4e-7 -0.0 2.50e1
"""
# What JSON does not allow, or what only the properties may hold.
STRANGE = r"""
NaN Infinity -Infinity 01 1. .5 +1 1_0 tru 'a' "\ud800" "\ud800\ud800" "\q" [1,] {} [] true false null {"a":{"b":[1,2]}}
"" "\u0000" "5" "-5.0" "1e2" "1_000" ".5" "5." "+5" "nan" "-inf" "1,5" "\u0663" "0x10" "1e99999999999999999999"
"2026-13-01T00:00:00Z" "2026-01-01T00:00:00" "2026-W01-1T00:00Z" "1999-12-31T23:59:59Z" "2026-01-02T00:00:00Z"
"2025-01-01T24:00:00Z" "2025-06-30T23:59:60Z" "2025-01-01T00:00:00+24:00" "0001-01-01T00:00:00+05:00"
"9999-12-31T23:59:59-05:00" "2025-01-01T00:00:00.123456789Z" "2025-01-01t00:00:00z" "20250101T000000Z"
"{00000000-0000-0000-0000-000000000000}" "urn:uuid:00000000000000000000000000000000" "2025-01-01T00:00:00.1+05:30"
"2025-01-01T00:00:00+05:30:30" {"a":NaN} {"a":"\ud800"} {"a":"\q"} {"a":01} {"a":1.} {"a":tru} {"a":[1,]} {"a":1,}
{a:1} {"a"} {"a":1e99999999999999999999} {"a":-} {"a":1,"a":2} [[[[[[[[[[1]]]]]]]]]] {"":{"":{"":null}}}
"""
numbers = st.sampled_from([*NUMBERS.split(), "9" * 400, "9" * 5_000, f"0.{'0' * 40}1"])
DEEP = ["[" * 5_000, '{"a":' * 5_000, "[" * 5_000 + "]" * 5_000]
strange = st.sampled_from([*STRANGE.split(), *DEEP, '"\t"', '" 5 "', "[" * 40 + "]" * 40])


# Few names, so that a field which nobody knows often has the name of a property.
names = st.sampled_from(["plan", "_top_level_plan", "product_id"]) | texts


def quoted(text: str, *, ascii_only: bool) -> str:
    """The text as a JSON string, with escapes for everything that is not ASCII or for nothing that needs none."""
    return json.dumps(text, ensure_ascii=ascii_only)


@st.composite
def strings(draw: st.DrawFn, content: st.SearchStrategy[str] = texts) -> str:
    return quoted(draw(content), ascii_only=draw(st.booleans()))


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON objects, also with repeated names and odd white space."""
    entries = st.lists(st.tuples(strings(names), inner), max_size=3)
    return entries.map(lambda each: "{ " + ",\n".join(f"{name} :{value}" for name, value in each) + "\t}")


values = st.recursive(
    numbers | strings() | st.sampled_from(["true", "false", "null", "{}", "[]"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]") | objects(inner),
    max_leaves=4,
)


@st.composite
def times(draw: st.DrawFn) -> str:
    """A moment in one of the spellings of the contract."""
    moment = draw(st.datetimes(_FIRST, _LAST))
    form = draw(st.sampled_from(["T", " ", "ms", "ms text", "ms.", "seconds", "minutes"]))
    if form.startswith("ms"):
        since = moment - datetime(1970, 1, 1)  # noqa: DTZ001 - a difference of two local times
        number = str(since // timedelta(milliseconds=1)) + (
            f".{moment.microsecond % 1000:03d}" if form == "ms." else ""
        )
        return f'"{number}"' if form == "ms text" else number
    minutes = draw(st.sampled_from([0, 330, -720, 845, 60, -1, 1439, -1439]))
    zone = draw(st.sampled_from(["Z", "+00:00", "-00:00"]))
    if minutes:
        zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    exact = draw(st.sampled_from(["auto", "milliseconds"]))
    text = moment.isoformat(sep=" " if form == " " else "T", timespec=exact)
    text = {"seconds": text[:19], "minutes": text[:16]}.get(form, text)
    return f'"{text}{zone}"'


@st.composite
def prices(draw: st.DrawFn) -> str:
    units = draw(st.integers(-(10**18) + 1, 10**18 - 1) | st.integers(-1_000, 1_000))
    text = f"{'-' if units < 0 else ''}{abs(units) // 10**6}.{abs(units) % 10**6:06d}"
    text += draw(st.sampled_from(["", "", "0", "000", "e0", "E+00"]))
    return f'"{text}"' if draw(st.booleans()) else text


quantities = st.integers(-QUANTITY_LIMIT, QUANTITY_LIMIT).flatmap(
    lambda number: st.sampled_from([f"{number}", f'"{number}"', f"{number}.0", f"{number}e0", f'"{number}.000"'])
)


def spelled(own: uuid.UUID) -> list[str]:
    """The ways to write an identifier that mean the same."""
    text = str(own)
    return [f'"{text}"', f'"{own.hex}"', f'"{text.upper()}"', f'"\\u{ord(text[0]):04x}{text[1:]}"']


identifiers = st.uuids().map(spelled).flatmap(st.sampled_from)


def content(name: str) -> st.SearchStrategy[str]:
    """Texts of JSON that are right for a field."""
    special: dict[str, st.SearchStrategy[str]] = {
        "event_id": identifiers,
        "timestamp": times(),
        "price": prices(),
        "quantity": quantities,
        "properties": objects(values),
    }
    if name in special:
        return special[name]
    text = strings(texts.filter(bool) if name in REQUIRED else texts)
    return text | numbers if name in ID_FIELDS else text


Pairs = list[tuple[str, str]]


@st.composite
def pairs(draw: st.DrawFn) -> Pairs:
    """Names and JSON texts of a valid event, in any spelling, with fields that nobody knows."""
    some = draw(st.sets(st.sampled_from(["price", "quantity", *TEXT_FIELDS]), max_size=6))
    some |= draw(st.sampled_from([set(), {"properties"}]))
    found = [(draw(st.sampled_from(SPELLINGS[name])), draw(content(name))) for name in (*REQUIRED, *sorted(some))]
    found += draw(st.lists(st.tuples(names, values), max_size=2))
    if draw(st.booleans()):
        found.append((draw(st.sampled_from([name for name in (*TEXT_FIELDS, "price") if name not in some])), "null"))
    return found


def written(fields: Pairs, *, spaced: bool = False) -> bytes:
    """The bytes of an object."""
    colon, comma, edge = (" : ", "\r\n,\t", " \n") if spaced else (":", ",", "")
    body = comma.join(quoted(name, ascii_only=spaced) + colon + value for name, value in fields)
    return f"{edge}{{{edge}{body}{edge}}}{edge}".encode()


# Drawing an event takes longer than decoding it, so that each one is used several times, differently.
dice = st.integers(0, 2**32).map(random.Random)


@st.composite
def valid(draw: st.DrawFn) -> list[bytes]:
    """One event with its fields in several orders."""
    fields, die = draw(pairs()), draw(dice)
    return [written(die.sample(fields, len(fields)), spaced=die.random() < 0.5) for _ in range(5)]


@st.composite
def changed(draw: st.DrawFn) -> list[bytes]:
    """A valid event of which some fields are dropped, repeated, renamed or hold something else."""
    fields, others, die = draw(pairs()), draw(st.lists(strange | values, min_size=10, max_size=10)), draw(dice)
    found = []
    for first, second in zip(others[::2], others[1::2], strict=True):
        variant = list(fields)
        for other in (first, second)[: die.randint(1, 2)]:
            change(variant, other, die)
        found.append(written(variant))
    return found


def change(fields: Pairs, other: str, die: random.Random) -> None:
    """Change one of the fields, most often to hold the JSON text `other`."""
    place = die.randrange(len(fields))
    name, value = fields[place]
    how = die.choice(["drop", "value", "value", "value", "new", "repeat", "rename", "long"])
    if how == "drop" and len(fields) > 1:
        del fields[place]
    elif how in {"new", "repeat"}:
        fields.append((name if how == "repeat" else die.choice([*FIELDS, *ALIASES]), other))
    elif how == "rename":
        fields[place] = (die.choice([*FIELDS, *ALIASES, name.upper(), f"_top_level_{name}"]), value)
    else:
        fields[place] = (name, f'"{"long" * 500}"' if how == "long" else other)


@st.composite
def damaged(draw: st.DrawFn) -> list[bytes]:
    """A valid event with bits flipped, pieces cut out and junk put in."""
    good, die = draw(valid()), draw(dice)
    return [damage(bytearray(die.choice(good)), die) for _ in range(10)]


# Bytes that are no UTF-8 (half a surrogate pair among them), and those that mean something in JSON.
JUNK = [b"\xff", b"\x00", b'"', b"\\u", b"}", b",", b"1", b"\xed\xa0\x80", b"\xf0\x9f"]


def damage(value: bytearray, die: random.Random) -> bytes:
    """The bytes with one to three faults."""
    for _ in range(die.randint(1, 3)):
        place = die.randrange(max(1, len(value)))
        how = die.choice(["flip", "cut", "end", "junk"])
        if how == "flip" and value:
            value[place] ^= 1 << die.randrange(8)
        elif how == "cut":
            del value[place : place + die.randint(1, 5)]
        elif how == "end":
            del value[place + 1 :]
        else:
            value[place:place] = die.choice(JUNK)
    return bytes(value)


KINDS: dict[str, st.SearchStrategy[list[bytes]]] = {
    "random bytes": st.lists(st.binary(max_size=60), min_size=5, max_size=5),
    "random JSON": st.lists(values.map(str.encode), min_size=5, max_size=5),
    "valid events": valid(),
    "events with changed fields": changed(),
    "events with damaged bytes": damaged(),
}
# How many inputs one draw makes, and which share of all inputs is of a kind.
AT_ONCE = {"events with damaged bytes": 10}
SHARES = {"random bytes": 0.05, "random JSON": 0.05, "valid events": 0.3, "events with changed fields": 0.3}
