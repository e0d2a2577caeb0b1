"""When things happen: the shop's daily rhythm, for laying out a history."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Relative traffic by hour of the day in UTC: quiet at night, a bump at noon, the peak in the evening.
HOURS: Final = (
    0.45, 0.32, 0.25, 0.22, 0.24, 0.32, 0.48, 0.68, 0.85, 0.98, 1.08, 1.16,
    1.22, 1.18, 1.12, 1.10, 1.14, 1.24, 1.40, 1.58, 1.66, 1.50, 1.10, 0.73,
)  # fmt: skip
_STEP = 300.0


class Rhythm:
    """Lays shares of the traffic out over [start, end), denser when the shop is busy.

    Args:
        start, end: the history's ends, zone-aware.
    """

    def __init__(self, start: datetime, end: datetime) -> None:
        self.seconds = (end - start).total_seconds()
        grid = np.append(np.arange(0.0, self.seconds, _STEP), self.seconds)
        hour = ((start.timestamp() + grid) / 3600.0) % 24.0
        traffic = np.interp(hour, np.arange(25), (*HOURS, HOURS[0]))
        area = np.concatenate(([0.0], np.cumsum((traffic[1:] + traffic[:-1]) / 2 * np.diff(grid))))
        self._grid, self._share = grid, area / area[-1]

    def at(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the seconds since `start` by which these shares (0 to 1) of all traffic have come."""
        seconds: NDArray[np.float64] = np.interp(share, self._share, self._grid)
        return seconds
