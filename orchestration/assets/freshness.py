"""How fresh each mart has to be: Dagster shows one that was not built for longer as stale, and its health as degraded.

A policy looks at when a mart was built last, and marts are built when rows land: a shop without any visitor for so long
looks stale too, and so it should, because nobody can tell that from a dead ingest by looking at the marts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import dagster as dg

# Read by the minute, not by the second, and half of the cost of a run: not in every run.
ANALYSES: Final = ("fct_experiment", "experiment_results", "fct_funnel")
# Built every few seconds: two minutes are some twenty runs that did not come.
STREAMED: Final = dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=2), fail_window=timedelta(minutes=10))
# Built every half minute or so.
ANALYSED: Final = dg.FreshnessPolicy.time_window(warn_window=timedelta(minutes=5), fail_window=timedelta(minutes=30))


def freshness_of(mart: str) -> dg.FreshnessPolicy:
    """Return the policy of a mart by its table's name."""
    return ANALYSED if mart.startswith(ANALYSES) else STREAMED
