"""HTTP requests on their way to ClickHouse, and which of them are inserts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Final
from urllib.parse import unquote_plus

_INSERT: Final = re.compile(r"\bINSERT\s+INTO\s+`?raw`?\.`?(events|dead_letters)\b", re.IGNORECASE)
# The statement stands in the address or begins the body; what follows is data.
_STATEMENT_BYTES: Final = 4_096


@dataclass
class Request:
    """One HTTP request, whole or as much of it as came."""

    head: bytes
    body: bytes

    @property
    def table(self) -> str | None:
        """The table below `raw` that it inserts into, if it does."""
        address = unquote_plus(self.head.split(b"\r\n", 1)[0].decode("latin-1"))
        found = _INSERT.search(address) or _INSERT.search(self.body[:_STATEMENT_BYTES].decode("latin-1"))
        return found.group(1) if found else None


def read_request(stream: BinaryIO) -> Request | None:
    """Return the next HTTP request, cut short where the stream ends, or None at its end."""
    lines: list[bytes] = []
    while (line := stream.readline()) not in {b"\r\n", b""}:
        lines.append(line)
    if not line:
        return None
    fields = dict(entry.lower().strip().split(b":", 1) for entry in lines[1:])
    head = b"".join(lines) + line
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return Request(head, _read_chunks(stream))
    return Request(head, stream.read(int(fields.get(b"content-length", b"0"))))


def _read_chunks(stream: BinaryIO) -> bytes:
    body = b""
    while line := stream.readline():
        size = int(line.split(b";")[0], 16)
        body += line + stream.read(size + 2)
        if not size:
            break
    return body
