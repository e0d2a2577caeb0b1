"""Many variations and metrics at once: p values adjusted for how many there are."""

from __future__ import annotations

from collections.abc import Sequence

from scipy import stats


def adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Return each p after Benjamini and Hochberg, so that at most a share alpha of the findings below alpha is false.

    Source: Benjamini & Hochberg (1995), "Controlling the False Discovery Rate", J. R. Stat. Soc. B 57. It holds for
    independent and for positively dependent p values (Benjamini & Yekutieli 2001, Ann. Stat. 29), such as those of
    variations that share a control.

    Args:
        p_values: None where a test could not be made; it counts as no test and stays None.

    """
    places = [place for place, p in enumerate(p_values) if p is not None]
    result: list[float | None] = [None] * len(p_values)
    if places:
        known = stats.false_discovery_control([p_values[place] for place in places], method="bh")
        for place, p in zip(places, known, strict=True):
            result[place] = float(p)
    return result
