"""A real log cut in two for the demo: most of it is history, its end goes live with a spike planted in it."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

LIVE_SHARE = 0.2
_SPIKE_EVENTS_PER_SECOND = 3.0
_SPIKE_SECONDS = 60.0
# A fifth of the way down the ranking: sold regularly, but no best-seller.
_RANK = 0.2
_FIRST_ORDER = 900_000


@dataclass(frozen=True)
class Cut:
    """Where the two halves of a sample are, and what was planted in the second.

    Args:
        history, live: the files.
        item: the item with the planted spike; empty where the log has no sales.
        first_spike_row: rows of the live half before the spike begins.
    """

    history: Path
    live: Path
    item: str
    first_spike_row: int

    def write_truth(self, truth: Path, rate: float) -> None:
        """Write the ground truth for a live phase that begins now and sends `rate` rows per second."""
        spike = None
        if self.item:
            start = datetime.now(UTC) + timedelta(seconds=self.first_spike_row / rate)
            spike = {"item_id": self.item, "start": start.isoformat()}
        truth.write_text(json.dumps({"spike": spike}))


def cut(sample: Path, folder: Path, rate: float, spike_after: float) -> Cut:
    """Write the two halves of `sample` below `folder`.

    Args:
        sample: a gzip log sorted by time.
        folder: made when missing.
        rate: live rows per second.
        spike_after: seconds of the live phase before the spike.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(sample, "rt", encoding="utf-8", errors="surrogateescape") as lines:
        rows = lines.readlines()
    header, rows = (rows[:1], rows[1:]) if ".csv" in sample.name else ([], rows)
    split = int(len(rows) * (1 - LIVE_SHARE))
    live, item = rows[split:], ""
    first = min(int(rate * spike_after), len(live))
    if header:
        sales = _Sales(header[0], rows)
        item = sales.item
        live = [*live[:first], *sales.planted_between(live[first:], rate)]
    halves = {"history": rows[:split], "live": live}
    paths = {name: folder / f"{name}-{sample.name}" for name in halves}
    for name, half in halves.items():
        with gzip.open(paths[name], "wt", encoding="utf-8", errors="surrogateescape") as lines:
            lines.writelines([*header, *half])
    return Cut(paths["history"], paths["live"], item, first)


class _Sales:
    """An item of the log that sells regularly, and copies of one of its sales as orders of their own."""

    def __init__(self, header: str, rows: list[str]) -> None:
        names = next(csv.reader([header]))
        self._order, self._date = names.index("InvoiceNo"), names.index("InvoiceDate")
        code, quantity = names.index("StockCode"), names.index("Quantity")
        # Cancellations have order numbers with a letter and negative quantities.
        sold = [row for row in csv.reader(rows) if row[quantity].isdigit() and row[self._order].isdigit()]
        ranking = [item for item, _ in Counter(row[code] for row in sold).most_common()]
        self.item = ranking[int(len(ranking) * _RANK)]
        self._sale = next(row for row in sold if row[code] == self.item)

    def planted_between(self, rows: list[str], rate: float) -> Iterator[str]:
        """Yield `rows` with the spike's sales between them, each dated like the row before it."""
        every = max(1, round(rate / _SPIKE_EVENTS_PER_SECOND))
        left = int(_SPIKE_EVENTS_PER_SECOND * _SPIKE_SECONDS)
        for number, row in enumerate(rows):
            yield row
            if number % every == 0 and left:
                left -= 1
                copy = list(self._sale)
                copy[self._order] = str(_FIRST_ORDER + left)
                copy[self._date] = next(csv.reader([row]))[self._date]
                line = StringIO()
                csv.writer(line, lineterminator="\n").writerow(copy)
                yield line.getvalue()
