"""Sessions, moves and paths, found event by event: shares no code and no SQL with the dbt project."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any

import polars as pl

Row = dict[str, Any]
IDLE = timedelta(minutes=30)
CAP = timedelta(hours=24)
DAY = timedelta(days=1)
_BOTS = re.compile(
    "bot|crawl|spider|slurp|headless|phantom|scrap|curl|wget|python-|java/|go-http|libwww|monitor", re.IGNORECASE
)


def page_of(url: str) -> str:
    """Return the path of a page's address."""
    address = re.split("[?#]", url)[0]
    host = re.match("([a-zA-Z][a-zA-Z0-9+.-]*:)?//[^/]*", address)
    return address[host.end() :] or "/" if host else address


def sessions_of(rows: list[Row]) -> list[Row]:
    """Return one row a session, in the columns of fct_session without its name."""
    ordered = sorted(rows, key=lambda row: (row["user_id"], row["session_id"], row["event_time"], row["event_id"]))
    return [
        _session(events)
        for _, together in groupby(ordered, key=lambda row: (row["user_id"], row["session_id"]))
        for events in _capped(list(_pieces(list(together))))
    ]


def _pieces(rows: list[Row]) -> Iterator[list[Row]]:
    """Cut at midnights, and, without a client's id, at pauses."""
    piece = rows[:1]
    for before, row in pairwise(rows):
        paused = not row["session_id"] and row["event_time"] - before["event_time"] > IDLE
        if paused or row["event_time"].date() != before["event_time"].date():
            yield piece
            piece = []
        piece.append(row)
    yield piece


def _capped(pieces: list[list[Row]]) -> Iterator[list[Row]]:
    """Join pieces over one midnight where the cap allows it; over more it never does."""
    chain = pieces[:1]
    for piece in [*pieces[1:], None]:
        if piece is not None and _is_near(chain[-1], piece):
            chain.append(piece)
            continue
        yield from [chain[0] + chain[1]] if len(chain) == len("ab") else chain
        chain = [piece] if piece else []


def _is_near(before: list[Row], after: list[Row]) -> bool:
    first, second = before[0], after[0]
    return bool(
        second["event_time"].date() - first["event_time"].date() == DAY
        and after[-1]["event_time"] - first["event_time"] <= CAP
        and (first["session_id"] or second["event_time"] - before[-1]["event_time"] <= IDLE)
    )


def _session(events: list[Row]) -> Row:
    kinds = Counter(row["event_type"] for row in events)
    views = [row for row in events if row["event_type"] == "page_view"]
    path = [page for page, _ in groupby(page_of(row["page_url"]) for row in views if page_of(row["page_url"]))]
    lists = {
        "pages": sorted({page_of(row["page_url"]) for row in events} - {""}, key=str.encode),
        "items_viewed": sorted({row["item_id"] for row in views} - {""}, key=str.encode),
        "search_queries": sorted({row["search_query"] for row in events} - {""}, key=str.encode),
        "referrers": sorted({row["referrer"] for row in events} - {""}, key=str.encode),
    }
    reasons = _bot_reasons(events)
    return {
        "user_id": events[0]["user_id"],
        "client_session_id": events[0]["session_id"],
        "session_date": events[0]["event_time"].date(),
        "started_at": events[0]["event_time"],
        "ended_at": events[-1]["event_time"],
        "duration_seconds": (events[-1]["event_time"] - events[0]["event_time"]) / timedelta(seconds=1),
        "events": len(events),
        "events_by_type": dict(sorted(kinds.items())),
        "page_views": len(views),
        **lists,
        "unique_pages": len(lists["pages"]),
        "distinct_items_viewed": len(lists["items_viewed"]),
        "distinct_referrers": len(lists["referrers"]),
        **{name: _first(events, name) for name in ("user_agent", "ip_address", "device_type", "country")},
        "entry_page": path[0] if path else "",
        "exit_page": path[-1] if path else "",
        "purchases": kinds["purchase"],
        "revenue": sum((row["revenue"] for row in events), Decimal(0)),
        "is_converted": int(kinds["purchase"] > 0),
        "is_bounced": int(len(views) <= 1 and set(kinds) <= {"page_view", "scroll", "hover"}),
        "is_bot": bool(reasons),
        "bot_reasons": reasons,
        "path": path,
        "steps": [kind for kind, _ in groupby(row["event_type"] for row in events)],
    }


def _bot_reasons(events: list[Row]) -> list[str]:
    length = events[-1]["event_time"] - events[0]["event_time"]
    pauses = [after["event_time"] - before["event_time"] for before, after in pairwise(events)]
    found = {
        "user_agent": any(_BOTS.search(row["user_agent"]) for row in events),
        "rate": len(events) >= 60 and len(events) / max(length, timedelta(seconds=1)).total_seconds() > 1,
        "duration": length >= timedelta(hours=12) and max(pauses) <= IDLE,
    }
    return [reason for reason, is_true in found.items() if is_true]


def _first(events: list[Row], name: str) -> str:
    return next((str(row[name]) for row in events if row[name]), "")


def journeys(sessions: list[Row]) -> pl.DataFrame:
    """Return fct_journey."""
    moves: dict[tuple[Any, ...], list[Row]] = {}
    for session in sessions:
        for kind, steps in (("page", session["path"]), ("event", session["steps"])):
            if steps and not session["is_bot"]:
                for step in pairwise(["(entry)", *steps, "(exit)"]):
                    key = (session["session_date"], kind, session["device_type"], *step)
                    moves.setdefault(key, []).append(session)
    names = ("session_date", "kind", "device_type", "from_step", "to_step")
    return pl.DataFrame(
        [
            dict(zip(names, key, strict=True))
            | {
                "moves": len(found),
                "sessions": len({id(session) for session in found}),
                "users": len({session["user_id"] for session in found}),
            }
            for key, found in sorted(moves.items())
        ],
        infer_schema_length=None,
    )


def paths(sessions: list[Row]) -> pl.DataFrame:
    """Return fct_journey_path."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for session in sessions:
        if session["path"] and not session["is_bot"]:
            first, more = tuple(session["path"][:5]), int(len(session["path"]) > len("12345"))
            groups.setdefault((session["session_date"], session["device_type"], first, more), []).append(session)
    return pl.DataFrame(
        [
            {
                "session_date": date,
                "device_type": device,
                "path": list(path),
                "goes_on": more,
                "sessions": len(found),
                "users": len({session["user_id"] for session in found}),
                "converted_sessions": sum(session["is_converted"] for session in found),
                "revenue": sum((session["revenue"] for session in found), Decimal(0)),
            }
            for (date, device, path, more), found in sorted(groups.items())
        ],
        infer_schema_length=None,
    )
