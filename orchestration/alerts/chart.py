"""A check's numbers as a picture, and as one line of text where no picture is taken."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

_BARS: Final = "▁▂▃▄▅▆▇█"
_POINTS: Final = 48
_LARGEST: Final = 2_000


def sparkline(chart: Mapping[str, Any]) -> str:
    """Return the observed values as bars, the newest last, with the last value and what was expected; '' for none."""
    observed = _numbers(chart.get("observed"))[-_POINTS:]
    finite = [value for value in observed if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(0.0, *finite), max(finite)
    span = (high - low) or 1.0
    bars = "".join(_bar((value - low) / span) for value in observed)
    expected = _numbers(chart.get("expected"))
    beside = f" (expected {expected[-1]:g})" if expected and math.isfinite(expected[-1]) else ""
    return f"{bars} {finite[-1]:g}{beside}"


def png(chart: Mapping[str, Any], title: str) -> bytes:
    """Return the chart as a PNG of 800 by 320 pixels.

    Args:
        chart: `times` (ISO 8601), `observed`, and if known `expected` and `upper`, of one length.
        title: what stands above it.

    Raises:
        ValueError: there is nothing to draw, or the lists differ in length.

    """
    # matplotlib takes a second and 50 MB: only whoever draws pays for it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - see above
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    times: Any = [datetime.fromisoformat(str(one)) for one in chart.get("times") or []][-_LARGEST:]
    lines = {name: _numbers(chart.get(name))[-_LARGEST:] for name in ("observed", "expected", "upper")}
    if not times or any(line and len(line) != len(times) for line in lines.values()) or not lines["observed"]:
        raise ValueError("a chart has times and as many observed values")
    figure = Figure(figsize=(8, 3.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(times, lines["observed"], color="#1264a3", marker="." if len(times) < _POINTS else "", label="observed")
    if lines["expected"]:
        axes.plot(times, lines["expected"], color="#616061", linestyle="--", label="expected")
    if lines["upper"]:
        axes.plot(times, lines["upper"], color="#e01e5a", linewidth=0.8, label="alerts above")
    axes.set_title(title.replace("$", r"\$")[:90], fontsize=10)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)
    figure.autofmt_xdate(rotation=0, ha="center")
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def _bar(share: float) -> str:
    return " " if math.isnan(share) else _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]


def _numbers(values: object) -> list[float]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        return []
    return [float(value) if isinstance(value, int | float) else math.nan for value in values]
