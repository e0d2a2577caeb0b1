"""A verdict that explains itself: the metadata that Dagster shows and that messages are made from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

from orchestration.checks.check_info import CheckInfo

ROWS_SHOWN: Final = 50
_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Chart:
    """What was seen beside what was expected, over time; all four of one length.

    Args:
        times: ISO 8601 moments.
        observed, expected: values; None or nan where there is none.
        upper: from here on a value is out of the ordinary; of a drop, down from here.

    """

    times: Sequence[str]
    observed: Sequence[float | None]
    expected: Sequence[float | None]
    upper: Sequence[float | None]

    def as_dict(self) -> dict[str, Any]:
        """Return the chart ready for JSON, numbers with three decimals at most."""
        series = {name: [_rounded(one) for one in getattr(self, name)] for name in ("observed", "expected", "upper")}
        return {"times": list(self.times), **series}

    def as_text(self) -> str:
        """Return the chart as two lines of bars on one scale, in a Markdown code block."""
        lines = {"observed": self.observed, "expected": self.expected}
        top = max(
            [1e-9, *(one for values in lines.values() for one in values if one is not None and math.isfinite(one))]
        )
        bars = [f"{name} {sparkline(values, top)}" for name, values in lines.items()]
        span = f"{self.times[0]} … {self.times[-1]}, highest bar {top:,.4g}" if self.times else "nothing yet"
        return "```\n" + "\n".join([*bars, span]) + "\n```"


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    Args:
        window: the time it is about, in words.
        detector: the rule that judged, in words.
        observed, expected: the most telling figure and what it should be; None where a check has none.
        sample_size: events, sales, rows or users that were looked at.
        table: a Markdown table of what was found.
        items: the things at fault, by name.
        chart: the figures over time.
        held_back: why nobody is alerted although something is out of the ordinary; '' when nothing is held back.
        more: further metadata.

    """

    window: str
    detector: str
    observed: float | None = None
    expected: float | None = None
    sample_size: int = 0
    table: str = ""
    items: tuple[str, ...] = ()
    chart: Chart | None = None
    held_back: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


def verdict(info: CheckInfo, *, passed: bool, sentence: str, evidence: Evidence, error: bool) -> dg.AssetCheckResult:
    """Return the check's result.

    Args:
        info: the check.
        passed: whether all is well, or what is not is held back.
        sentence: the verdict in one or two sentences.
        evidence: what it rests on.
        error: whether a failure means that the numbers are wrong, not only that the shop is remarkable.

    """
    severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
    held = f"Held back: {evidence.held_back} " if evidence.held_back else ""
    return dg.AssetCheckResult(
        passed=passed,
        severity=severity,
        description=f"{held}{sentence}",
        metadata=_metadata(info, evidence),
    )


def _metadata(info: CheckInfo, evidence: Evidence) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "group": info.group,
        "window": evidence.window,
        "detector": evidence.detector,
        "sample_size": evidence.sample_size,
        "runbook": info.runbook,
        "offending_items": list(evidence.items),
        "held_back": evidence.held_back,
        **evidence.more,
    }
    if _is_number(evidence.observed):
        metadata["observed"] = _rounded(evidence.observed)
    if _is_number(evidence.expected):
        metadata["expected"] = _rounded(evidence.expected)
        if _is_number(evidence.observed) and evidence.expected:
            metadata["ratio"] = _rounded((evidence.observed or 0.0) / evidence.expected)
    if evidence.table:
        metadata["offending"] = dg.MetadataValue.md(evidence.table)
    if evidence.chart is not None:
        metadata["chart"] = dg.MetadataValue.json(evidence.chart.as_dict())
        metadata["plot"] = dg.MetadataValue.md(evidence.chart.as_text())
    return metadata


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table of at most 50 rows, with a line that says how many are left out.

    A column whose name ends in ':' is aligned to the right, without the colon.
    """
    all_rows = [[cell(one) for one in row] for row in rows]
    names = [name.removesuffix(":") for name in head]
    marks = ["---:" if name.endswith(":") else "---" for name in head]
    lines = [_line(names), "|" + "|".join(marks) + "|", *map(_line, all_rows[:ROWS_SHOWN])]
    hidden = len(all_rows) - ROWS_SHOWN
    return "\n".join([*lines, *([f"\nand {hidden} more"] if hidden > 0 else [])])


def cell(value: object) -> str:
    """Return a value as one line that does not break a Markdown table; numbers with a sensible length."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"  # noqa: PLR2004 - two figures
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return " ".join(str(value).split()).replace("|", "\\|")


def sparkline(values: Sequence[float | None], top: float) -> str:
    """Return the values as bars of eight heights, `top` being the highest; a gap where there is no value."""
    steps = len(_BARS) - 1
    return "".join(
        _BARS[min(steps, max(0, round(steps * (one or 0.0) / top)))] if _is_number(one) else " " for one in values
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _rounded(value: float | None) -> float | None:
    return round(value, 3) if value is not None and math.isfinite(value) else None
