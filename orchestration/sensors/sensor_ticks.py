"""How the sensors are doing, as observations: one that keeps failing, and one that does not tick any more."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus

from orchestration.alerts.incidents import Observation

GROUP: Final = "sensors"
# While a code location is reloaded a tick fails now and then; so many in a row are no accident.
FAILURES: Final = 3
# Longer than the slowest sensor's interval and a tick's longest time together.
SILENCE: Final = timedelta(minutes=10)
# A look that comes later than this after the one before it comes after a pause.
PAUSE: Final = timedelta(minutes=2)
ENDED: Final = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
# What Dagster keeps of a sensor, and the stamp of its last tick (epoch seconds).
SensorState: TypeAlias = tuple[InstigatorState, float]
_CHARACTERS: Final = 1_500


def steady_since(before: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Return since when whoever looks has looked without a pause: `since` and `looked`, as ISO 8601.

    After a pause of the daemon every sensor's last tick is old; that says nothing about the sensors.
    """
    looked = before.get("looked")
    is_steady = looked is not None and now - datetime.fromisoformat(looked) < PAUSE
    return {"since": before["since"] if is_steady else now.isoformat(), "looked": now.isoformat()}


def sensor_states(
    instance: dg.DagsterInstance, names: Collection[str], now: datetime, steady: Mapping[str, str]
) -> list[Observation]:
    """Return how each of the sensors is doing; one that was switched off or never ran is left out.

    Args:
        instance: Dagster's.
        names: of the sensors.
        now: in UTC.
        steady: as `steady_since` returns it.

    """
    found = []
    since = datetime.fromisoformat(steady["since"])
    for name, (state, stamp) in running_sensors(instance).items():
        if name in names:
            ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=FAILURES, statuses=ENDED)
            last = datetime.fromtimestamp(stamp, UTC)
            found += _observations(name, list(ticks), last, now, now - max(last, since) > SILENCE)
    return found


def running_sensors(instance: dg.DagsterInstance) -> dict[str, SensorState]:
    """Return the state of each sensor that is switched on and has ticked, and the stamp of its last tick."""
    # A code location that was renamed leaves its sensors' states behind: the latest one counts.
    latest: dict[str, InstigatorState] = {}
    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    for state in sorted(states, key=lambda one: _stamp(one) or 0.0):
        latest[state.instigator_name] = state
    return {
        name: (state, stamp)
        for name, state in latest.items()
        if (stamp := _stamp(state)) is not None and state.status is not InstigatorStatus.STOPPED
    }


def _observations(
    name: str, ticks: list[InstigatorTick], last: datetime, now: datetime, is_silent: bool
) -> list[Observation]:
    if not ticks:
        return []
    if is_silent:
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


def _stamp(state: InstigatorState) -> float | None:
    return getattr(state.instigator_data, "last_tick_timestamp", None)
