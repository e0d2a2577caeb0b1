"""Bytes that anybody may have sent, as text that is safe on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

_SHOWN_CHARACTERS: Final = 20_000
_DUMPED_BYTES: Final = 4_096
_DUMP_WIDTH: Final = 16
_BYTE, _PLANE = 0x100, 0x10000


def safe(text: str, *, keep: str = "") -> str:
    r"""Return `text` with each character that is not printable as an escape (\x1b, \u202e), except those in `keep`.

    Besides control characters these are the marks that turn the direction of text, and all spaces but the plain one.
    """
    return "".join(each if each.isprintable() or each in keep else _escape(each) for each in text)


def excerpt(data: bytes | None, most: int = 60) -> str:
    """Return the beginning of `data` in one safe line of at most `most` characters on the screen."""
    if data is None:
        return "(null)"
    # A byte can become four characters (\xff), never fewer than a quarter of one.
    return shortened(safe(data[: most * 4].decode("utf-8", "backslashreplace")), most, cut=len(data) > most * 4)


def shortened(text: str, most: int, *, cut: bool = False) -> str:
    """Return `text` in at most `most` cells of a terminal, ending in … when something is missing."""
    if cell_len(text) <= most and not cut:
        return text
    return set_cell_size(text, min(most - 1, cell_len(text))) + "…"


def is_text(data: bytes) -> bool:
    """Tell whether people can read `data`: UTF-8 without zero bytes."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def readable(data: bytes | None) -> str:
    """Return `data` for people, as text or as a hex dump; of long ones the beginning, and how much is missing."""
    if data is None:
        return "(null)"
    if not is_text(data):
        return _dump(data[:_DUMPED_BYTES]) + _missing(len(data) - _DUMPED_BYTES, "bytes")
    text = data.decode()
    # A carriage return could overwrite what stands before it on the line.
    return safe(text[:_SHOWN_CHARACTERS], keep="\n\t") + _missing(len(text) - _SHOWN_CHARACTERS, "characters")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return lines with aligned columns; the last column is not padded."""
    lines = [header, *rows]
    widths = [max(cell_len(line[index]) for line in lines) for index in range(len(header) - 1)]
    return "\n".join(
        "  ".join([*(set_cell_size(cell, width) for cell, width in zip(line, widths, strict=False)), line[-1]])
        for line in lines
    )


def _escape(character: str) -> str:
    code = ord(character)
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    if named:
        return named
    if code < _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _PLANE else f"\\U{code:08x}"


def _dump(data: bytes) -> str:
    lines = []
    for start in range(0, len(data), _DUMP_WIDTH):
        row = data[start : start + _DUMP_WIDTH]
        seen = "".join(chr(byte) if chr(byte).isascii() and chr(byte).isprintable() else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<{_DUMP_WIDTH * 3}} {seen}")
    return "\n".join(lines)


def _missing(count: int, what: str) -> str:
    return f"\n… {count:,} more {what}; --payload writes all of it" if count > 0 else ""
