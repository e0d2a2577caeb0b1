"""`docs/metrics.md`, made from the list of metrics: `python -m contracts.metrics_page` writes it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contracts.metrics import METRICS, Metric

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
_HEAD: Final = """# Metrics

Made from `contracts/metrics.py` by `make docs`; a test compares. A worker (`millrace ingest`) serves them at
`/metrics` of the address that it logs at its start (`INGEST_METRICS_HOST`, `INGEST_METRICS_PORT`). They count from
the start of the process; a counter is exact for what this process wrote, not for the whole table.
"""


def render(metrics: Iterable[Metric] = METRICS) -> str:
    """Return the page's text."""
    return "\n".join([_HEAD, *map(_section, metrics)])


def _section(metric: Metric) -> str:
    facts = [f"{metric.kind}, {metric.unit}"]
    if metric.labels:
        facts.append(f"labels {', '.join(f'`{label}`' for label in metric.labels)}")
    if metric.buckets:
        facts.append(f"buckets up to {', '.join(f'{edge:g}' for edge in metric.buckets)}")
    return f"## {metric.name}\n\n{'; '.join(facts)}.\n\n{metric.meaning}\n\n**What to do.** {metric.what_to_do}\n"


if __name__ == "__main__":
    PAGE.write_text(render())
