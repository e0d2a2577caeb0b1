"""The parts of a panel that are text: figures, tables, bars, links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from dashboard.draw import numbers

Row = Mapping[str, Any]
Shown = str | Markup


@dataclass(frozen=True)
class Figure:
    """One number with its name.

    Args:
        name: what it is, as a reader says it.
        value: as the question answered.
        show: makes text of it.
        note: unit or window, in small print.
    """

    name: str
    value: Any
    show: Callable[[Any], str] = numbers.count
    note: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: of the answer's column.
        title: its heading.
        show: makes text of a value.
        link: makes the address that the cell leads to; None for a cell that leads nowhere.
        bar: draw a bar as long as the value is large.
        whole: never break a value into lines; times never are.
    """

    name: str
    title: str
    show: Callable[[Any], Shown] = numbers.text
    link: Callable[[Row], str | None] | None = None
    bar: bool = False
    whole: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the column is aligned at its right."""
        return self.show in {numbers.count, numbers.decimal, numbers.money, numbers.percent, numbers.duration}

    @property
    def is_whole(self) -> bool:
        """Whether its values are not to be broken into lines."""
        return self.whole or self.show is numbers.moment


def figures(items: Iterable[Figure]) -> Markup:
    """Return numbers side by side, each with its name."""
    cells = [
        Markup('<div class="figure"><dt>{}</dt><dd><data value="{}">{}</data>{}</dd></div>').format(
            item.name,
            numbers.raw(item.value),
            item.show(item.value),
            Markup('<span class="note">{}</span>').format(item.note) if item.note else "",
        )
        for item in items
    ]
    return Markup('<dl class="figures">{}</dl>').format(Markup("").join(cells))


def table(rows: Sequence[Row], columns: Sequence[Column], caption: str) -> Markup:
    """Return a table; the first column names the row. It scrolls by itself where the page is narrow."""
    longest = {
        column.name: max((abs(float(row[column.name] or 0)) for row in rows), default=0.0)
        for column in columns
        if column.bar
    }
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_class(column), column.title) for column in columns
    )
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(_cell(row, column, longest, is_head=at == 0) for at, column in enumerate(columns))
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-label="{}"><table><caption class="hidden">{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(caption, caption, head, body)


def bar(value: float, longest: float) -> Markup:
    """Return a bar for the eye only: the number stands beside it."""
    width = 100 * value / longest if longest else 0
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect class="a" width="{}" height="8"/></svg>'
    ).format(f"{max(0.0, min(100.0, width)):.1f}")


def link(address: str, words: str) -> Markup:
    """Return a link."""
    return Markup('<a href="{}">{}</a>').format(address, words)


def _cell(row: Row, column: Column, longest: Mapping[str, float], *, is_head: bool) -> Markup:
    value = row[column.name]
    shown: Shown = escape(column.show(value))
    address = column.link(row) if column.link else None
    if address is not None:
        shown = link(address, shown)
    if column.is_number:
        shown = Markup('<data value="{}">{}</data>').format(numbers.raw(value), shown)
    if column.bar:
        shown = Markup("{}{}").format(shown, bar(float(value or 0), longest[column.name]))
    tag = Markup('<th scope="row"{}>{}</th>') if is_head else Markup("<td{}>{}</td>")
    return tag.format(_class(column), shown)


def _class(column: Column) -> Markup:
    if column.is_number:
        return Markup(' class="number"')
    return Markup(' class="whole"') if column.is_whole else Markup("")
