"""What the demo measured, as `demo-report.json` and as a summary for the terminal."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

_FRESH = 15.0
_MEMORY = 4096.0


@dataclass
class DemoReport:
    """The figures of one demo; counts are since its start, ages and freshness in seconds.

    `missing` and `duplicated` compare the raw tables with the producer's own record; `freshness_*` is
    from an event's own time to its being visible in `fct_item`, over the live events about items.
    """

    source: str = "simulator"
    events_produced: int = 0
    raw_rows: int = 0
    missing: int = 0
    duplicated: int = 0
    unexplained: int = 0
    dead_letters: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    materializations: int = 0
    runs_waiting_max: int = 0
    run_p95_s: float | None = None
    freshness_p50_s: float = math.nan
    freshness_p95_s: float = math.nan
    check_evaluations: int = 0
    alerts_sent: int = 0
    spike_item: str = ""
    spike_alerted: bool = False
    spike_to_alert_s: float = math.nan
    history_seconds: float = 0.0
    live_seconds: float = 0.0
    memory_max_mb: dict[str, float] = field(default_factory=dict)
    memory_max_total_mb: float = 0.0

    def _freshness(self) -> str:
        if math.isnan(self.freshness_p95_s):
            return "event to fct_item: not measured, no live event was about an item"
        seconds = f"p50 {self.freshness_p50_s} s, p95 {self.freshness_p95_s} s"
        return f"event to fct_item: {seconds} (target {_FRESH:.0f} s)"

    def failures(self) -> list[str]:
        """Return one sentence for each promise that was broken; the demo exits 1 when there is any."""
        broken = []
        if self.missing:
            broken.append(f"{self.missing} produced events are in neither raw table")
        if self.duplicated:
            broken.append(f"{self.duplicated} rows are in the raw tables more than once")
        if self.spike_item and not self.spike_alerted:
            broken.append(f"no alert came for the planted spike on {self.spike_item}")
        return broken

    def _alerted(self) -> str:
        if not self.spike_alerted:
            return "NOT alerted"
        # A real Slack is asked for nothing, so the moment is known only from the stand-in.
        return "alerted" if math.isnan(self.spike_to_alert_s) else f"alerted after {self.spike_to_alert_s} s"

    def write(self, path: Path) -> None:
        """Write the report as JSON, with null for what was not measured."""
        values = {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }
        path.write_text(json.dumps(values, indent=2) + "\n")

    def summary(self) -> list[str]:
        """Return the lines of the closing summary."""
        marts = ", ".join(f"{name} {count:,}" for name, count in self.rows.items())
        services = ", ".join(f"{name} {size:.0f}" for name, size in self.memory_max_mb.items())
        lines = [
            f"produced {self.events_produced:,}  raw {self.raw_rows:,}  dead letters {self.dead_letters:,}",
            f"missing {self.missing}  duplicated {self.duplicated} (against the producer's own record)",
            f"marts: {marts}",
            f"materializations {self.materializations}, check evaluations {self.check_evaluations}",
            f"runs waiting at most {self.runs_waiting_max}; a run ends {self.run_p95_s} s after its request (p95)",
            self._freshness(),
            f"memory: {self.memory_max_total_mb:.0f} MB at most (target {_MEMORY:.0f}): {services}",
        ]
        if self.spike_item:
            outcome = self._alerted()
            lines.append(f"planted spike on {self.spike_item}: {outcome}; alerts sent {self.alerts_sent}")
        return lines
