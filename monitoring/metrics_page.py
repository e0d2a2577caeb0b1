"""`docs/metrics.md`, made from the lists of metrics and the rules: `python -m monitoring.metrics_page` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from contracts.metrics import METRICS, Metric
from contracts.platform_metrics import PLATFORM_METRICS
from monitoring.rules import ALERTS, RECORDED, Alert, Recorded

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
_HEAD: Final = """# Metrics

Made from `contracts/metrics.py`, `contracts/platform_metrics.py` and `monitoring/rules` by `make docs`.

| who serves them | where | what |
|---|---|---|
| each worker | the address it logs (`INGEST_METRICS_HOST`, `INGEST_METRICS_PORT`) | `millrace_ingest_…` |
| `millrace metrics` | http://localhost:9463/metrics (`METRICS_HOST`, `METRICS_PORT`) | the other `millrace_…` |
| ClickHouse | http://localhost:8123/metrics; docker-compose: port 9363, inside only | `ClickHouse…` |

`millrace metrics --prometheus` also starts a Prometheus on the local stack, http://localhost:9090, when one is
installed (Debian's package `prometheus`). `docker compose --profile monitoring up` has one too, and Grafana at
http://localhost:3001 (user admin, `GRAFANA_PASSWORD` or else admin) with four boards: Ingestion, ClickHouse, Dagster,
and The shop, live. What they show is written in `monitoring/boards`; `make docs` makes Grafana's JSON of it. Grafana
asks ClickHouse as a user of its own with the role `millrace_dashboard` (`GRAFANA_CLICKHOUSE_PASSWORD`, or else the
password of the others).

Prometheus watches what the checks stand on: processes, servers, the alerting itself. Whether the data is right is the
business of the [checks](checks.md); [ADR 15](adr/0015-one-exporter-asks-for-what-nobody-serves.md) has the reasons.
It tells nobody by itself: name your Alertmanager in `monitoring/prometheus.yml`.
"""
_WORKERS: Final = """## The workers

They count from the start of the process; a counter is exact for what this process wrote, not for the whole table.
"""
_PLATFORM: Final = """## The platform

Asked for when Prometheus scrapes `millrace metrics`. A source that does not answer has no series, never old ones.
ClickHouse is asked as `CLICKHOUSE_USER`; the role `millrace_metrics` is enough, and sees nothing that clients sent.
"""
_RECORDED: Final = """## Recorded figures

Reckoned by Prometheus from the metrics above (`monitoring/rules/recording.yml`).
"""
_ALERTS: Final = """## Alerts

`monitoring/rules/alerts.yml`. critical: look now; warning: look today.
"""


def render() -> str:
    """Return the page's text."""
    return "\n".join(
        [
            *(_HEAD, _WORKERS, *map(_metric, METRICS)),
            *(_PLATFORM, *map(_metric, PLATFORM_METRICS)),
            *(_RECORDED, *map(_recorded, RECORDED)),
            *(_ALERTS, *map(_alert, ALERTS)),
        ]
    )


def names() -> Iterator[str]:
    """Yield what has a heading of its own, in order."""
    everything: Iterable[Metric | Recorded | Alert] = (*METRICS, *PLATFORM_METRICS, *RECORDED, *ALERTS)
    return (one.name for one in everything)


def _metric(metric: Metric) -> str:
    facts = [f"{metric.kind}, {metric.unit}"]
    if metric.labels:
        facts.append(f"labels {', '.join(f'`{label}`' for label in metric.labels)}")
    if metric.buckets:
        facts.append(f"buckets up to {', '.join(f'{edge:g}' for edge in metric.buckets)}")
    return f"### {metric.name}\n\n{'; '.join(facts)}.\n\n{metric.meaning}\n\n**What to do.** {metric.what_to_do}\n"


def _recorded(recorded: Recorded) -> str:
    return f"### {recorded.name}\n\n{recorded.meaning}\n\n{_code(recorded.expression)}\n"


def _alert(alert: Alert) -> str:
    lasts = "at once" if alert.after == "0m" else f"after {alert.after}"
    what = f"{alert.severity}, {lasts}. [What to do]({alert.runbook.removeprefix('docs/')})."
    return f"### {alert.name}\n\n{what}\n\n> {' '.join(alert.summary.split())}\n\n{_code(alert.expression)}\n"


def _code(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


if __name__ == "__main__":
    PAGE.write_text(render())
