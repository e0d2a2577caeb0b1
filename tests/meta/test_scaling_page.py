"""The arithmetic of docs/scaling.md follows from the measured figures that stand above it and in the README."""

from __future__ import annotations

import math
import re

import pytest

from tests.pages import DOCS, ROOT

PAGE = (DOCS / "scaling.md").read_text()
ROWS = {"13 million": 13e6, "1 billion": 1e9, "100 billion": 100e9}
EVENT_BYTES, WORKER_PER_S, INSERT_CPU_S = 430, 144_795, 6.9e-6
RAW_BYTES, MARTS_PER_S, MARTS_CORES = 39.7, 30_587, 2
ARCHIVE_PER_S = 1 / (1 / 84_000 + 1 / 107_000)
PEAK, WORKER_SHARE = 3, 0.5


@pytest.mark.parametrize(("name", "a_day"), ROWS.items())
def test_a_row_follows_from_the_measured_figures(name: str, a_day: float) -> None:
    (row,) = re.findall(rf"^\| {name} \| (.*) \|$", PAGE, re.MULTILINE)
    mean = a_day / 86_400
    peak = mean * PEAK
    assert row.split(" | ") == [
        f"{mean:,.0f}",
        f"{peak:,.0f}",
        f"{peak * EVENT_BYTES / 1e6:,.1f}",
        f"{math.ceil(peak / (WORKER_PER_S * WORKER_SHARE))}",
        f"{peak * INSERT_CPU_S:.1f}",
        f"{mean / MARTS_PER_S * MARTS_CORES:.1f}",
        f"{a_day * RAW_BYTES / 1e9:,.1f} GB",
        f"{a_day / ARCHIVE_PER_S / 3600:.1f}",
    ]


def test_the_measured_figures_are_those_of_the_readme_and_the_archives_page() -> None:
    readme, archive = (ROOT / "README.md").read_text(), (DOCS / "archive.md").read_text()
    assert f"| `millrace ingest`, exactly once | {WORKER_PER_S:,} | 1.00 | 5.7 + {INSERT_CPU_S * 1e6:.1f} +" in readme
    assert f"events of {EVENT_BYTES} bytes" in " ".join(readme.split())
    assert "84,000 events/s written, 107,000 proven" in archive
    for figure in (f"{WORKER_PER_S:,}", f"{RAW_BYTES} bytes", f"{MARTS_PER_S:,}", "84,000", "107,000"):
        assert figure in PAGE
