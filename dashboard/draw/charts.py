"""Charts over time as SVG that stretches with the page; the words around them are HTML and keep their size.

Nothing here is an inline style: the page's policy allows none, and the colours follow light and dark by class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from dashboard.draw import numbers

_WIDTH, _HEIGHT = 1000.0, 200.0
_LABELS: Final = 5
_NICE: Final = (1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
Number = float | None
Moment = datetime | date


@dataclass(frozen=True)
class Line:
    """A line or an area of a chart.

    Args:
        name: in the legend and the table.
        values: one for each time; None where there is none.
        colour: a, b or c, which the style sheet knows.
        area: fill what is under it.
    """

    name: str
    values: Sequence[Any]
    colour: str = "a"
    area: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart over time.

    Args:
        title: what it shows, for those who do not see it.
        times: of the values, ascending.
        lines: drawn in order.
        show: makes text of a value.
        band: lower and upper ends with a name, drawn behind the lines.
        marks: positions in `times` with what happened there.
        zero: whether the axis begins at 0.
    """

    title: str
    times: Sequence[Moment]
    lines: Sequence[Line]
    show: Callable[[Any], str] = numbers.count
    band: tuple[str, Sequence[Any], Sequence[Any]] | None = None
    marks: Sequence[tuple[int, str]] = field(default=())
    zero: bool = True


def draw(chart: Chart) -> Markup:
    """Return the chart with its axes, a legend where it needs one, and its numbers as a table that opens."""
    low, high = _limits(chart)
    shapes = Markup("").join(
        [_grid(), _band(chart, low, high), *(_line(line, low, high) for line in chart.lines), _marks(chart)]
    )
    steps = Markup("").join(
        Markup("<span>{}</span>").format(numbers.axis(chart.show, value)) for value in (high, (low + high) / 2, low)
    )
    return Markup(
        '<figure class="chart"><div class="y" aria-hidden="true">{}</div>'
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}{}</svg>'
        '<div class="x" aria-hidden="true">{}</div><figcaption>{}{}</figcaption></figure>'
    ).format(
        steps,
        _summary(chart),
        f"{_WIDTH:.0f}",
        f"{_HEIGHT:.0f}",
        shapes,
        _tips(chart),
        _time_labels(chart.times),
        _legend(chart),
        _numbers(chart),
    )


def ceiling(value: float) -> float:
    """Return the next number whose half is round, too: a small number times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _NICE if step * power >= value * (1 - 1e-9))


def _limits(chart: Chart) -> tuple[float, float]:
    known = [float(value) for line in chart.lines for value in line.values if value is not None]
    if chart.band:
        known += [float(value) for end in chart.band[1:] for value in end if value is not None]
    if chart.zero:
        return 0.0, ceiling(max(known, default=0.0))
    size = ceiling(max((abs(value) for value in known), default=0.0))
    return -size, size


def _at(chart_size: int, index: int) -> float:
    return _WIDTH / 2 if chart_size == 1 else _WIDTH * index / (chart_size - 1)


def _height(value: float, low: float, high: float) -> float:
    return _HEIGHT * (1 - (value - low) / (high - low))


def _points(values: Sequence[Any], low: float, high: float) -> list[list[str]]:
    """Return the points of each stretch without a gap."""
    stretches: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append(f"{_at(len(values), index):.1f},{_height(float(value), low, high):.1f}")
    return [stretch for stretch in stretches if stretch]


def _line(line: Line, low: float, high: float) -> Markup:
    shapes = []
    for points in _points(line.values, low, high):
        if line.area:
            first, last = points[0].split(",")[0], points[-1].split(",")[0]
            around = f"{first},{_HEIGHT:.0f} {' '.join(points)} {last},{_HEIGHT:.0f}"
            shapes.append(Markup('<polygon class="{} area" points="{}"/>').format(line.colour, around))
        # A single point has no length: a short dash shows it.
        path = points if len(points) > 1 else [points[0], _beside(points[0])]
        shapes.append(Markup('<polyline class="{} line" points="{}"/>').format(line.colour, " ".join(path)))
    return Markup("").join(shapes)


def _beside(point: str) -> str:
    x, y = point.split(",")
    return f"{float(x) + 6:.1f},{y}"


def _band(chart: Chart, low: float, high: float) -> Markup:
    if chart.band is None:
        return Markup("")
    _, lower, upper = chart.band
    size = len(lower)
    pairs = [(at, a, b) for at, (a, b) in enumerate(zip(lower, upper, strict=True)) if a is not None and b is not None]
    there = [f"{_at(size, at):.1f},{_height(float(b), low, high):.1f}" for at, _, b in pairs]
    back = [f"{_at(size, at):.1f},{_height(float(a), low, high):.1f}" for at, a, _ in reversed(pairs)]
    if len(pairs) == 1:  # a single one has no width: a short one shows it
        there, back = [there[0], _beside(there[0])], [_beside(back[0]), back[0]]
    return Markup('<polygon class="band" points="{}"/>').format(" ".join(there + back)) if pairs else Markup("")


def _marks(chart: Chart) -> Markup:
    size = len(chart.times)
    return Markup("").join(
        Markup('<line class="mark" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(
            f"{_at(size, at):.1f}", f"{_HEIGHT:.0f}"
        )
        for at, _ in chart.marks
    )


def _grid() -> Markup:
    return Markup("").join(
        Markup('<line class="grid" x1="0" x2="{}" y1="{}" y2="{}"/>').format(f"{_WIDTH:.0f}", y, y)
        for y in ("0", "100", "200")
    )


def _tips(chart: Chart) -> Markup:
    """Return an invisible strip for each time, which names its values under the mouse."""
    size = len(chart.times)
    width = _WIDTH / max(size - 1, 1)
    happened = dict(chart.marks)
    strips = []
    for at, time in enumerate(chart.times):
        words = [f"{line.name}: {chart.show(line.values[at])}" for line in chart.lines]
        if chart.band:
            name, lower, upper = chart.band
            words.append(f"{name}: {chart.show(lower[at])} to {chart.show(upper[at])}")
        words += [happened[at]] if at in happened else []
        tip = escape(f"{numbers.moment(time)} UTC\n" + "\n".join(words))
        # One of hundreds: an f-string takes a fifth of the time that Markup.format does.
        place = f'x="{_at(size, at) - width / 2:.1f}" width="{width:.1f}"'
        strips.append(f'<rect class="tip" {place} y="0" height="200"><title>{tip}</title></rect>')
    return Markup("".join(strips))  # noqa: S704 - escaped above


def _summary(chart: Chart) -> str:
    parts = [chart.title]
    for line in chart.lines:
        known = [value for value in line.values if value is not None]
        if known:
            parts.append(
                f"{line.name} from {chart.show(min(known))} to {chart.show(max(known))}, last {chart.show(known[-1])}"
            )
    if chart.marks:
        parts.append(f"{len(chart.marks)} marked")
    return "; ".join(parts)


def _time_labels(times: Sequence[Moment]) -> Markup:
    if not times:
        return Markup("")
    chosen = (
        [times[round(at * (len(times) - 1) / (_LABELS - 1))] for at in range(_LABELS)]
        if len(times) > _LABELS
        else times
    )
    is_within_days = isinstance(times[0], datetime) and (times[-1] - times[0]).days < 2  # noqa: PLR2004 - hours tell little beyond two days
    form = "%H:%M" if is_within_days else "%b %-d"
    if len({time.strftime(form) for time in chosen}) < len(chosen):
        form = "%b %-d %H:%M"
    return Markup("").join(Markup("<span>{}</span>").format(time.strftime(form)) for time in chosen)


def _legend(chart: Chart) -> Markup:
    entries = [
        Markup('<span class="key"><i class="{}"></i>{}</span>').format(line.colour, line.name) for line in chart.lines
    ]
    if chart.band:
        entries.append(Markup('<span class="key"><i class="band"></i>{}</span>').format(chart.band[0]))
    if chart.marks:
        entries.append(Markup('<span class="key"><i class="mark"></i>incident</span>'))
    return Markup('<span class="legend">{}</span>').format(Markup("").join(entries)) if len(entries) > 1 else Markup("")


def _numbers(chart: Chart) -> Markup:
    """Return the same as a table, for those who do not see the chart or want to read a value."""
    band = [chart.band] if chart.band else []
    heads = ["time (UTC)", *(line.name for line in chart.lines), *(name for name, _, _ in band)]
    rows = []
    for at, time in enumerate(chart.times):
        values = [line.values[at] for line in chart.lines]
        cells = [
            f'<td class="number"><data value="{escape(numbers.raw(value))}">{escape(chart.show(value))}</data></td>'
            for value in values
        ]
        cells += [
            f'<td class="number">{escape(chart.show(low[at]))} to {escape(chart.show(high[at]))}</td>'
            for _, low, high in band
        ]
        rows.append(f'<tr><th scope="row">{numbers.moment(time)}</th>{"".join(cells)}</tr>')
    body = Markup("".join(rows))  # noqa: S704 - escaped above; an f-string, as for the tips
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in heads)
    return Markup(
        '<details><summary>numbers</summary><div class="scroll" role="region" tabindex="0" aria-label="{}">'
        '<table><caption class="hidden">{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(chart.title, chart.title, head, body)
