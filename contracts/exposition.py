"""Numbers in Prometheus' form, as the lists of metrics declare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.utils import floatToGoString

from contracts.metrics import Metric

Series = Mapping[tuple[str, ...], float]
# Cumulative counts by upper bound, and the sum of what was counted.
Buckets = tuple[Iterable[tuple[float, float]], float]
_MAKE: Final[dict[str, type[CounterMetricFamily | GaugeMetricFamily]]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
}


def family(metric: Metric, series: Series) -> Family:
    """Return a counter or gauge with a value for each combination of its labels' values."""
    made = _MAKE[metric.kind](metric.name, metric.meaning, labels=metric.labels)
    for labels, value in series.items():
        made.add_metric(labels, float(value))
    return made


def histograms(metric: Metric, series: Mapping[tuple[str, ...], Buckets]) -> Family:
    """Return a histogram with a series for each combination of its labels' values."""
    made = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for labels, (pairs, total) in series.items():
        counts = [(str(floatToGoString(bound)), float(count)) for bound, count in pairs]  # type: ignore[no-untyped-call]
        made.add_metric(labels, counts, total)
    return made
