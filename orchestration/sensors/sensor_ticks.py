"""How the sensors are doing, as observations: one that keeps failing, and one that does not tick any more."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from orchestration.alerts.incidents import Observation

GROUP: Final = "sensors"
# While a code location is reloaded a tick fails now and then; so many in a row are no accident.
FAILURES: Final = 3
# Longer than the slowest sensor's interval and a tick's longest time together.
SILENCE: Final = timedelta(minutes=10)
_ENDED: Final = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
_CHARACTERS: Final = 1_500


def sensor_states(instance: dg.DagsterInstance, names: Collection[str], now: datetime) -> list[Observation]:
    """Return how each of the sensors is doing; one that was switched off or never ran is left out."""
    found = []
    for state in instance.all_instigator_state():
        if state.instigator_name in names and state.status is not InstigatorStatus.STOPPED:
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=FAILURES, statuses=_ENDED)
            found += _observations(state.instigator_name, list(ticks), _last_tick(state), now)
    return found


def _observations(name: str, ticks: list[InstigatorTick], last: datetime | None, now: datetime) -> list[Observation]:
    if last is None or not ticks:
        return []
    if now - last > SILENCE:
        return [_observation(name, now, f"It has not ticked since {last:%Y-%m-%d %H:%M:%S} UTC: is the daemon well?")]
    at = datetime.fromtimestamp(ticks[0].timestamp, UTC)
    if ticks[0].status is not TickStatus.FAILURE:
        return [_observation(name, at)]
    if len(ticks) < FAILURES or any(tick.status is not TickStatus.FAILURE for tick in ticks):
        return []
    error = ticks[0].error
    return [_observation(name, at, (error.message if error else "It says no reason.").strip()[:_CHARACTERS])]


def _observation(name: str, at: datetime, trouble: str = "") -> Observation:
    return Observation(
        subject=f"sensor:{name}",
        kind="sensor",
        title=f"sensor {name}",
        at=at,
        failing=bool(trouble),
        group=GROUP,
        summary=trouble,
        path="/automation",
    )


def _last_tick(state: InstigatorState) -> datetime | None:
    stamp = getattr(state.instigator_data, "last_tick_timestamp", None)
    return datetime.fromtimestamp(stamp, UTC) if stamp else None
