"""Acknowledge an incident: one row that is only ever added, by a user who may do nothing else."""

from __future__ import annotations

from typing import Final

from contracts.clickhouse import connect
from contracts.errors import Permanent, UserError
from contracts.names import INCIDENT_ACTIONS, INCIDENTS
from contracts.settings import Settings
from dashboard.database import understood_errors

_COLUMNS: Final = ("fingerprint", "action", "by", "note")
_MOST: Final = 200


def acknowledge(settings: Settings, fingerprint: str, by: str) -> None:
    """Write that `by` has seen the incident; the alerts' sensor folds it in with its next look.

    Raises:
        UserError: there is no such incident, or the ClickHouse user may not write it.
        RetryLater: ClickHouse is away or busy.
    """
    try:
        with connect(_responder(settings)) as client, understood_errors():
            query = f"SELECT count() FROM {INCIDENTS} FINAL WHERE fingerprint = {{fingerprint:String}}"  # noqa: S608 - our name
            if not client.query(query, parameters={"fingerprint": fingerprint[:_MOST]}).result_rows[0][0]:
                raise UserError("There is no such incident any more.")
            client.insert(INCIDENT_ACTIONS, [[fingerprint, "ack", by[:_MOST], ""]], column_names=_COLUMNS)
    except Permanent as error:
        raise UserError(
            "ClickHouse does not let the dashboard acknowledge: set DASHBOARD_RESPONDER_USER to a user with the role "
            f"millrace_responder ({str(error)[:200]})"
        ) from error


def _responder(settings: Settings) -> Settings:
    if not settings.dashboard_responder_user:
        return settings
    return settings.model_copy(
        update={
            "clickhouse_user": settings.dashboard_responder_user,
            "clickhouse_password": settings.dashboard_responder_password,
        }
    )
