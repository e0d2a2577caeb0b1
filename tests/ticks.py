"""Ticks as Dagster's daemon leaves them behind."""

from __future__ import annotations

from datetime import datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._utils.error import SerializableErrorInfo


def ticked(instance: dg.DagsterInstance, name: str, at: datetime, *statuses: TickStatus) -> None:
    """Make Dagster remember a sensor and its ticks, the newest last."""
    data = SensorInstigatorData(last_tick_timestamp=at.timestamp())
    state = InstigatorState(_origin(name), InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, data)
    instance.add_instigator_state(state)
    for number, status in enumerate(statuses):
        stamp = at.timestamp() - len(statuses) + number
        error = SerializableErrorInfo("it broke", [], None) if status is TickStatus.FAILURE else None
        names = {"selector_id": state.selector_id, "error": error}
        instance.create_tick(TickData(state.instigator_origin_id, name, InstigatorType.SENSOR, status, stamp, **names))


def _origin(name: str) -> RemoteInstigatorOrigin:
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "repo"), name)
