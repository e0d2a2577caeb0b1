"""Where the stack keeps things: the checkout, what set-up downloads (`.local`), and the data (`MILLRACE_HOME`)."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOWNLOADS = ROOT / ".local"
CLICKHOUSE_DIR = DOWNLOADS / "clickhouse"
KAFKA_DIR = DOWNLOADS / "kafka"


def clickhouse_library() -> Path:
    """Return where set-up puts ClickHouse's library on this kind of machine; it may not be there yet."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    kind = f"darwin-{machine}" if sys.platform == "darwin" else f"linux-{machine}-gnu"
    return CLICKHOUSE_DIR / "node_modules" / "@chdb" / f"lib-{kind}" / "libchdb.so"


def kafka_jars() -> Path:
    """Return the folder that set-up fills with Kafka's jars."""
    return KAFKA_DIR / "libs"
