"""Whether the numbers can be trusted: each hop, what was refused, the ledger, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from contracts.workers import read_workers
from dashboard.database import Answer, Database
from dashboard.draw import numbers
from dashboard.draw.parts import Column, Figure, figures, table
from dashboard.filters import Filters
from dashboard.panel import Answers, Page, Panel

_WORKERS: Final = ("name", "state", "lag", "rows", "dead_letters", "partitions", "silent")
_SILENT_SECONDS: Final = 15
_KEEP_SECONDS: Final = 1.0


def workers(database: Database, filters: Filters) -> Future[Answer]:
    """Return what the workers of this machine say of themselves."""

    def work() -> Answer:
        rows = [_worker(name, state, filters.now) for name, state in read_workers(database.settings).items()]
        return Answer(_WORKERS, tuple(rows), filters.now)

    return database.keep(("workers",), _KEEP_SECONDS, work)


def _worker(name: str, state: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    silent = (now - datetime.fromisoformat(state["reported_at"])).total_seconds()
    words = f"silent for {numbers.duration(silent)}" if silent > _SILENT_SECONDS else state["reason"] or state["state"]
    counts = {key: state.get(key, 0) for key in ("lag", "rows", "dead_letters", "partitions")}
    return {"name": name, "state": words, **counts, "silent": silent}


def _hops(filters: Filters, answers: Answers) -> Markup:
    rows = answers["hops"].rows
    raw = next(row for row in rows if row["hop"] == "raw.events")
    marts = [row for row in rows if not row["hop"].startswith("raw.")]
    head = figures(
        [
            Figure("Events per second", raw["rate"], numbers.decimal, "into raw, last minute"),
            Figure("Newest in raw", _age(raw["as_of"], filters.now), numbers.duration, "ago"),
            Figure("Most rows behind", max((row["behind"] for row in marts), default=None), note="of any model"),
        ]
    )
    columns = (
        Column("hop", "Hop"),
        Column("rate", "Per second", numbers.decimal),
        Column("behind", "Rows behind", numbers.count),
        Column("age", "Newest or last run, ago", numbers.duration),
        Column("as_of", "at (UTC)", numbers.moment),
    )
    shown = [{**row, "age": _age(row["as_of"], filters.now)} for row in rows]
    return head + table(shown, columns, "Hops behind Kafka")


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())


def _workers(_: Filters, answers: Answers) -> Markup:
    columns = (
        Column("name", "Worker"),
        Column("state", "State"),
        Column("lag", "Lag in Kafka", numbers.count),
        Column("rows", "Rows since its start", numbers.count),
        Column("dead_letters", "Dead letters", numbers.count),
        Column("partitions", "Partitions", numbers.count),
    )
    return table(answers["workers"].rows, columns, "Ingest workers")


def _letters(_: Filters, answers: Answers) -> Markup:
    columns = (
        Column("reason", "Reason"),
        Column("letters", "Last 24 hours", numbers.count, bar=True),
        Column("last_hour", "Last hour", numbers.count),
        Column("newest", "Newest (UTC)", numbers.moment),
    )
    return table(answers["dead_letters"].rows, columns, "Dead letters by reason")


def _audit(_: Filters, answers: Answers) -> Markup:
    rows = [{**row, "verdict": audit_words(row)} for row in answers["audit"].rows]
    columns = (
        Column("topic", "Topic"),
        Column("verdict", "Verdict"),
        Column("all_rows", "Rows", numbers.count),
        Column("missing", "Missing", numbers.count),
        Column("doubled", "Doubled", numbers.count),
        Column("parts", "Partitions", numbers.count),
    )
    return table(rows, columns, "Kafka's offsets against the raw tables")


def audit_words(row: Mapping[str, Any]) -> str:
    """Return in words what the ledger of a topic says."""
    if row["doubled"] or row["mixed"]:
        return "Offsets are there twice: run millrace audit"
    if row["missing"]:
        return "Offsets have gaps: millrace audit tells loss from legal gaps"
    return "Every offset once"


def _incidents(_: Filters, answers: Answers) -> Markup:
    rows = [
        {**row, "state": _state(row), "since": row["first_seen"], "button": _button(row)}
        for row in answers["incidents"].rows
    ]
    columns = (
        Column("title", "Incident"),
        Column("state", "State", lambda words: words),
        Column("severity", "Severity"),
        Column("summary", "What was seen"),
        Column("since", "Since (UTC)", numbers.moment),
        Column("last_seen", "Last seen (UTC)", numbers.moment),
        Column("times", "Times", numbers.count),
        Column("owner", "Owner"),
        Column("button", "Acknowledge", lambda words: words),
    )
    return table(rows, columns, "Incidents")


def _state(row: Mapping[str, Any]) -> Markup:
    state = row["shown_state"]
    by = f" by {row['acknowledged_by']}" if state == "acknowledged" and row["acknowledged_by"] else ""
    return Markup('<strong class="state {}">{}</strong>{}').format(state, state, by)


def _button(row: Mapping[str, Any]) -> Markup:
    if row["shown_state"] != "open":
        return Markup("")
    return Markup(
        '<form method="post" action="/incidents/acknowledge">'
        '<input type="hidden" name="fingerprint" value="{}">'
        '<button type="submit" aria-label="Acknowledge: {}">Acknowledge</button></form>'
    ).format(row["fingerprint"], row["title"])


PAGE: Final = Page(
    name="health",
    title="Health",
    lead="Whether the numbers can be trusted: how far each hop is, what was refused, and what is wrong.",
    panels=(
        Panel(
            "incidents",
            "Incidents",
            "incidents",
            _incidents,
            "none",
            "Nothing is wrong, and nothing was in the last 7 days.",
            wide=True,
        ),
        Panel("hops", "Hops behind Kafka", "hops", _hops, "raw", "Nothing has landed yet.", wide=True),
        Panel(
            "workers",
            "Ingest workers",
            "workers",
            _workers,
            "none",
            "No worker has written to MILLRACE_HOME on this machine.",
            ask=workers,
        ),
        Panel("audit", "Every offset once", "audit", _audit, "raw", "Nothing has landed yet."),
        Panel(
            "letters",
            "Dead letters",
            "dead_letters",
            _letters,
            "raw",
            "No message was refused in the last 24 hours.",
            wide=True,
            hint="The command millrace dead-letters shows, mends and replays them.",
        ),
    ),
    filters=(),
    refresh_seconds=3,
)
