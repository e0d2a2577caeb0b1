"""Numbers, times and texts as people read them. Times are UTC."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

NOTHING: Final = "\N{EN DASH}"
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def count(value: Any) -> str:
    """Return a whole number with a comma every three digits."""
    return NOTHING if _is_nothing(value) else f"{round(value):,}"


def decimal(value: Any) -> str:
    """Return a number with a decimal below 100, without above."""
    if _is_nothing(value):
        return NOTHING
    return f"{float(value):,.1f}" if abs(float(value)) < 100 else f"{float(value):,.0f}"  # noqa: PLR2004 - three digits are enough


def money(value: Any) -> str:
    """Return an amount with two decimals below 10,000, without above; currencies are not converted."""
    if _is_nothing(value):
        return NOTHING
    return f"{float(value):,.2f}" if abs(float(value)) < 10_000 else f"{float(value):,.0f}"  # noqa: PLR2004 - cents of much do not matter


def percent(value: Any) -> str:
    """Return a share as a percentage with one decimal, two below 1 %."""
    if _is_nothing(value):
        return NOTHING
    share = float(value) * 100
    return f"{share:.2f} %" if 0 < abs(share) < 1 else f"{share:.1f} %"


def axis(show: Callable[[Any], str], value: float) -> str:
    """Return a round number for an axis, in the unit of `show` and without needless zeros."""
    if show is percent:
        return f"{value * 100:.4g} %"
    if show is duration:
        return duration(value)
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"  # noqa: PLR2004 - four digits are enough


def duration(value: Any) -> str:
    """Return seconds in the unit that suits them."""
    if _is_nothing(value):
        return NOTHING
    seconds = float(value)
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - two digits are enough
    if seconds < _HOUR:
        return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // 60:02.0f} min"
    return f"{seconds / _DAY:.1f} days"


def moment(value: Any) -> str:
    """Return a time or day as text in UTC, to the second."""
    if _is_nothing(value):
        return NOTHING
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return value.isoformat() if isinstance(value, date) else str(value)


def text(value: Any) -> str:
    """Return what a client sent, or that it sent nothing."""
    return "(none)" if value is None or value == "" else str(value)


def raw(value: Any) -> str:
    """Return a value for machines, as the `value` of a <data> element."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))
