"""What the tests of `millrace events` share: events as ingest writes them, and the program as users call it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from clickhouse_connect.driver.client import Client

from cli.main import run
from contracts.settings import Settings
from tests.integration.letters_tools import Done, environment

NOW = datetime.now(UTC).replace(microsecond=0)


def event(number: int, **changes: Any) -> dict[str, Any]:
    """A row of raw.events that happened `number` minutes ago and landed at once."""
    moment = NOW - timedelta(minutes=number)
    base = {
        "event_id": UUID(int=number),
        "event_type": "page_view",
        "event_time": moment,
        "user_id": f"u{number}",
        "kafka_topic": "t",
        "kafka_offset": number,
        "ingested_at": moment,
    }
    return base | changes


def insert(client: Client, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, each with the columns it names."""
    for row in rows:
        client.insert("raw.events", [list(row.values())], column_names=list(row))


def search(settings: Settings, *arguments: str) -> Done:
    """Run `millrace events …` and return how it ended."""
    out, error = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with patch.dict(os.environ, environment(settings)), redirect_stdout(out), redirect_stderr(error):
        code = run(["events", *arguments])
        out.flush()
    return Done(code, out.buffer.getvalue(), error.getvalue())


def found(settings: Settings, *where: str, options: Sequence[str] = ()) -> list[int]:
    """The offsets of the events that match all of `where`, in the order shown."""
    terms = [part for text in where for part in ("--where", text)]
    done = search(settings, *terms, "--json", "--columns", "kafka_offset", *options)
    assert done.code == 0, done.error
    return [json.loads(line)["kafka_offset"] for line in done.text.splitlines()]
