"""Incidents, actions and the outbox in ClickHouse. One process writes them: the sensor `alerts`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, Final, Protocol

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.names import ALERT_OUTBOX, INCIDENT_ACTIONS, INCIDENTS
from orchestration.alerts.incidents import Action, Incident
from orchestration.alerts.outbox import DELIVERED, LIMITED, OutboxRow

_INCIDENT_COLUMNS: Final = tuple(field.name for field in fields(Incident))
_OUTBOX_COLUMNS: Final = tuple(field.name for field in fields(OutboxRow))
_ONE_INCIDENT: Final = f"SELECT {', '.join(_INCIDENT_COLUMNS)} FROM {INCIDENTS} FINAL"  # noqa: S608 - our own names
_ONE_ROW: Final = f"SELECT {', '.join(_OUTBOX_COLUMNS)} FROM {ALERT_OUTBOX} FINAL"  # noqa: S608 - our own names

_LATEST: Final = f"""
{_ONE_INCIDENT} WHERE state != 'resolved' OR subject IN {{subjects:Array(String)}}
ORDER BY first_seen DESC LIMIT 1 BY subject
"""
_RECENT: Final = f"""
{_ONE_INCIDENT} WHERE state != 'resolved' OR last_seen >= {{since:DateTime64(3, 'UTC')}} ORDER BY first_seen DESC
"""
# An action that nobody folded in for a month is about an incident that is long over.
_ACTIONS: Final = f"""
SELECT toString(id) AS id, fingerprint, toString(action) AS action, by, at, note FROM {INCIDENT_ACTIONS}
WHERE at > now() - INTERVAL 30 DAY
    AND fingerprint IN (SELECT fingerprint FROM {INCIDENTS} FINAL WHERE state != 'resolved')
ORDER BY at, id
"""  # noqa: S608 - our own names
# Payloads are large and most rows are done: the ids first.
_WAITING: Final = f"""
{_ONE_ROW} WHERE id IN (SELECT id FROM {ALERT_OUTBOX} FINAL WHERE state IN ('pending', 'sending'))
    AND state IN ('pending', 'sending')
ORDER BY created_at, revision, id
"""  # noqa: S608 - our own names
_REJECTED: Final = f"""
{_ONE_ROW} WHERE state = 'rejected' AND updated_at > {{since:DateTime64(3, 'UTC')}} ORDER BY updated_at
"""
_PLACES: Final = f"""
SELECT incident, channel, argMax(place, (updated_at, revision)) AS last FROM {ALERT_OUTBOX} FINAL
WHERE incident IN {{incidents:Array(String)}} AND state = '{DELIVERED}' AND kind != 'note' GROUP BY incident, channel
"""  # noqa: S608 - our own names
_PLACE: Final = f"""
SELECT place FROM {ALERT_OUTBOX} FINAL
WHERE incident = {{incident:String}} AND channel = {{channel:String}} AND state = '{DELIVERED}' AND kind != 'note'
ORDER BY updated_at DESC, revision DESC LIMIT 1
"""  # noqa: S608 - our own names
# The first delivery of an incident's message is the post, the others are edits.
_MESSAGES: Final = f"""
{ALERT_OUTBOX} FINAL
WHERE channel = {{channel:String}} AND state = '{DELIVERED}' AND kind NOT IN ('note', 'digest')
"""
_POSTS: Final = f"SELECT min(updated_at) AS posted_at FROM {_MESSAGES} GROUP BY incident"  # noqa: S608 - our own names
_POSTED: Final = f"""
SELECT min(updated_at) AS posted_at FROM {_MESSAGES} AND incident IN
(
    SELECT incident FROM {_MESSAGES} AND updated_at >= {{since:DateTime64(3, 'UTC')}}
        AND JSONExtractString(payload, 'group') = {{group:String}}
)
GROUP BY incident HAVING posted_at >= {{since:DateTime64(3, 'UTC')}} ORDER BY posted_at
"""  # noqa: S608 - our own names
_HELD: Final = f"""
SELECT uniqExact(incident) AS held FROM {ALERT_OUTBOX} FINAL
WHERE channel = {{channel:String}} AND reason = '{LIMITED}' AND incident != {{incident:String}}
    AND updated_at >= (SELECT max(posted_at) FROM ({_POSTS}))
"""  # noqa: S608 - our own names


class Store(Protocol):
    """What incidents and their delivery need to keep. Every method raises RetryLater or Permanent."""

    def latest(self, subjects: Iterable[str]) -> dict[str, Incident]:
        """Return by subject the latest incident of each of `subjects`, and every one that is not over."""

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        """Write new versions of incidents."""

    def actions(self) -> list[Action]:
        """Return what people did about incidents that are not over, oldest first."""

    def write_outbox(self, rows: Sequence[OutboxRow]) -> None:
        """Write new rows or new versions of rows; an older version than what is there changes nothing."""

    def waiting(self) -> list[OutboxRow]:
        """Return what is not delivered, superseded, held or rejected, oldest first."""

    def place(self, incident: str, channel: str) -> str:
        """Return where the incident's message stands in a channel, or ''."""

    def places(self, incidents: Iterable[str]) -> dict[tuple[str, str], str]:
        """Return where messages stand, by incident and channel."""

    def posted(self, channel: str, group: str, since: datetime) -> list[datetime]:
        """Return when new messages about a group were posted to a channel since then, oldest first."""

    def held(self, channel: str, incident: str) -> int:
        """Return how many others than `incident` the rate limit kept from a channel since its last message."""


class ClickHouseStore:
    """The real store.

    Args:
        client: of a server with the migrations applied.

    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def latest(self, subjects: Iterable[str]) -> dict[str, Incident]:
        """See `Store`."""
        rows = self._rows(_LATEST, {"subjects": list(subjects)})
        return {one.subject: one for one in map(_incident, rows)}

    def recent(self, since: datetime) -> list[Incident]:
        """Return the incidents that are not over or were seen since then, newest first."""
        return [_incident(row) for row in self._rows(_RECENT, {"since": since})]

    def write_incidents(self, incidents: Sequence[Incident]) -> None:
        """See `Store`."""
        written = (replace(one, version=one.version + 1) for one in incidents)
        rows = [asdict(one) | {"values": json.dumps(dict(one.values))} for one in written]
        self._insert(INCIDENTS, _INCIDENT_COLUMNS, rows)

    def actions(self) -> list[Action]:
        """See `Store`."""
        return [Action(**row) for row in self._rows(_ACTIONS, {})]

    def add_action(self, fingerprint: str, action: str, by: str, note: str) -> None:
        """Say what a person did; the sensor folds it in with its next tick."""
        values = {"fingerprint": fingerprint, "action": action, "by": by, "note": note}
        self._insert(INCIDENT_ACTIONS, tuple(values), [values])

    def write_outbox(self, rows: Sequence[OutboxRow]) -> None:
        """See `Store`."""
        self._insert(ALERT_OUTBOX, _OUTBOX_COLUMNS, [asdict(row) for row in rows])

    def waiting(self) -> list[OutboxRow]:
        """See `Store`."""
        return [OutboxRow(**row) for row in self._rows(_WAITING, {})]

    def rejected(self, since: datetime) -> list[OutboxRow]:
        """Return what was rejected after `since`, oldest first."""
        return [OutboxRow(**row) for row in self._rows(_REJECTED, {"since": since})]

    def place(self, incident: str, channel: str) -> str:
        """See `Store`."""
        rows = self._rows(_PLACE, {"incident": incident, "channel": channel})
        return str(rows[0]["place"]) if rows else ""

    def places(self, incidents: Iterable[str]) -> dict[tuple[str, str], str]:
        """See `Store`."""
        rows = self._rows(_PLACES, {"incidents": list(incidents)})
        return {(row["incident"], row["channel"]): row["last"] for row in rows}

    def posted(self, channel: str, group: str, since: datetime) -> list[datetime]:
        """See `Store`."""
        rows = self._rows(_POSTED, {"channel": channel, "group": group, "since": since})
        return [row["posted_at"] for row in rows]

    def held(self, channel: str, incident: str) -> int:
        """See `Store`."""
        return int(self._rows(_HELD, {"channel": channel, "incident": incident})[0]["held"])

    def _rows(self, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        with mapped_errors():
            answer = self._client.query(query, parameters=dict(parameters), tz_mode="aware")
        return [dict(zip(answer.column_names, row, strict=True)) for row in answer.result_rows]

    def _insert(self, table: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        with mapped_errors():
            values = [[_storable(row[name]) for name in columns] for row in rows]
            self._client.insert(table, values, column_names=list(columns))


def _storable(value: Any) -> Any:
    """Return text without the halves of characters that UTF-8 cannot hold; one of them would stop every alert."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [_storable(one) for one in value] if isinstance(value, tuple) else value


def _incident(row: Mapping[str, Any]) -> Incident:
    lists = {name: tuple(row[name]) for name in ("items", "applied")}
    return Incident(**(dict(row) | lists | {"values": json.loads(row["values"] or "{}")}))
