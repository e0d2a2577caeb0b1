"""What a run prints and writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.rounds import Round

_LINE = "{number:>4}  {fault:<32} {seconds:>7} {recover:>8} {rows:>11} {lost:>5} {doubled:>8}  {note}"


def heading() -> str:
    """Return the table's first line."""
    return _LINE.format(
        number="#",
        fault="fault",
        seconds="lasted",
        recover="recover",
        rows="rows",
        lost="lost",
        doubled="doubled",
        note="",
    ).rstrip()


def line(number: int, made: Round) -> str:
    """Return a round's line, and below it what was wrong."""
    first = _LINE.format(
        number=number,
        fault=made.fault,
        seconds=f"{made.seconds:.1f} s",
        recover=f"{made.recover_s:.1f} s",
        rows=f"{made.rows:,}",
        lost=made.found.get("lost", 0),
        doubled=made.found.get("doubled", 0),
        note=made.note,
    ).rstrip()
    return "\n".join([first, *(f"      {text}" for text in made.trouble)])


def summary(rounds: Sequence[Round], totals: dict[str, int], seed: int, seconds: float) -> dict[str, Any]:
    """Return the report: `faults`, `lost`, `doubled`, `extra`, `wrong`, `seed`, `seconds`, counts by kind, the rounds.

    Args:
        rounds: the faults, and last the one that only stops the workers.
        totals: what was lost, doubled, extra and wrong at the last look.
        seed, seconds: of the whole run.
    """
    by_kind: dict[str, dict[str, Any]] = {}
    for made in rounds[:-1]:
        entry = by_kind.setdefault(made.fault, {"count": 0, "recover_max_s": 0.0, "lost": 0, "doubled": 0})
        entry["count"] += 1
        entry["recover_max_s"] = round(max(entry["recover_max_s"], made.recover_s), 1)
        entry["lost"] += made.found.get("lost", 0)
        entry["doubled"] += made.found.get("doubled", 0)
    return {
        "faults": max(0, len(rounds) - 1),
        **totals,
        "seed": seed,
        "seconds": round(seconds, 1),
        "rows": rounds[-1].rows if rounds else 0,
        "right": all(made.is_right for made in rounds),
        "trouble": [f"{made.fault}: {text}" for made in rounds for text in made.trouble],
        "kinds": by_kind,
        "rounds": [
            {"fault": made.fault, "note": made.note, "seconds": round(made.seconds, 1)}
            | {"recover_s": round(made.recover_s, 1), "rows": made.rows, **made.found}
            for made in rounds
        ],
    }


def write(path: Path, report: dict[str, Any]) -> None:
    """Write the report as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(report, indent=2))
    fresh.replace(path)
