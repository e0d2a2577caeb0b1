"""Where and since when the ratio of an experiment's variations is off."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from orchestration.experiments.sample_ratio import FLAG_BELOW, MINIMUM_USERS, log_evidence

SEGMENTS: Final = ("device_type", "country")


def _counts(exposures: pl.DataFrame, by: str, variations: list[str]) -> tuple[list[object], NDArray[np.float64]]:
    """Return the values of `by` in order, and users as an array (values, variations)."""
    known = exposures.filter(pl.col("experiment_variation").is_in(variations) & pl.col(by).is_not_null())
    totals = known.group_by(by, "experiment_variation").agg(pl.col("exposed_users").sum()).sort(by)
    values = totals[by].unique(maintain_order=True).to_list()
    found = {(value, name): users for value, name, users in totals.rows()}
    return values, np.array([[float(found.get((value, name), 0)) for name in variations] for value in values])


def off_segments(exposures: pl.DataFrame, shares: dict[str, float]) -> list[str]:
    """Return the segments whose ratio is off, as "device_type=mobile", the plainest first.

    A dimension is looked into only where its values differ from each other (chi-square test of homogeneity,
    Agresti 2013, "Categorical Data Analysis"): when every country is off alike, no country is the cause. In it,
    a segment is off when the anytime-valid p of its own counts, times the number of segments, is below 0.001.

    Args:
        exposures: one experiment's users by experiment_variation, device_type, country: exposed_users.
        shares: planned share of each variation, above 0, summing to 1.

    """
    variations, planned = list(shares), list(shares.values())
    found: list[tuple[float, str]] = []
    tables = {by: _counts(exposures, by, variations) for by in SEGMENTS}
    segments = sum(len(values) for values, _ in tables.values())
    for by, (values, counts) in tables.items():
        if len(values) == 0 or not _differ(counts):
            continue
        for value, seen, evidence in zip(values, counts, log_evidence(counts, planned), strict=True):
            if seen.sum() >= MINIMUM_USERS and evidence > math.log(segments / FLAG_BELOW):
                found.append((float(evidence), f"{by}={value}"))
    return [name for _, name in sorted(found, key=lambda pair: (-pair[0], pair[1]))]


def _differ(counts: NDArray[np.float64]) -> bool:
    """Return whether the rows have different shares; a single row differs from nothing and is judged itself."""
    rows = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(rows.shape) < 2:  # noqa: PLR2004 - two rows and two columns make a comparison
        return False
    return bool(stats.chi2_contingency(rows, correction=False).pvalue < FLAG_BELOW)


def start_hour(exposures: pl.DataFrame, shares: dict[str, float]) -> datetime | None:
    """Return the hour in which the ratio went off: before it the counts are fair, from it on they are not.

    It is the change point with the largest likelihood: the hour that maximises the evidence of all counts from it
    on, where the counts before it, being fair, add nothing. Source: Page (1955), "A test for a change in a
    parameter occurring at an unknown point", Biometrika 42, with the evidence of Lindon & Malek (2022).

    Args:
        exposures: one experiment's users by experiment_variation and exposure_hour: exposed_users.
        shares: planned share of each variation, above 0, summing to 1.

    Returns:
        None when no start is more likely than none at all.

    """
    hours, counts = _counts(exposures, "exposure_hour", list(shares))
    if not hours:
        return None
    from_here_on = counts[::-1].cumsum(axis=0)[::-1]
    evidence = log_evidence(from_here_on, list(shares.values()))
    best = int(np.argmax(evidence))
    hour = hours[best]
    return hour if evidence[best] > 0 and isinstance(hour, datetime) else None
