"""How Dagster keeps up, read from its instance while the demo goes on."""

from __future__ import annotations

import os
from datetime import datetime
from functools import cached_property
from pathlib import Path

import dagster as dg

from orchestration.report import CadenceSummary, cadence_summary, runs_waiting


class Cadence:
    """Samples of one Dagster instance.

    Args:
        home: its DAGSTER_HOME.
        since: only runs and evaluations after this moment count.
    """

    def __init__(self, home: Path, since: datetime) -> None:
        self.waiting_max = 0
        self._home = home
        self._since = since

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The instance, opened on first use."""
        # Dagster resolves paths of its instance through this variable.
        os.environ["DAGSTER_HOME"] = str(self._home)
        return dg.DagsterInstance.get()

    def sample(self) -> None:
        """Look how many runs wait right now, and keep the highest."""
        self.waiting_max = max(self.waiting_max, runs_waiting(self.instance))

    def summary(self) -> CadenceSummary:
        """Return the figures so far."""
        return cadence_summary(self.instance, self._since)
