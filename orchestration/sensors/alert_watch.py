"""Watches the alerting itself and says on another channel when it cannot do its work.

It looks at the sensor `alerts`, the rules, ClickHouse, and what waits in the outbox or was rejected. ClickHouse down:
it says just that, after a minute. What is going on is remembered in its cursor, so that each trouble is said once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from contracts.clock import SystemClock
from contracts.errors import MillraceError, UserError
from contracts.settings import Settings, load_settings
from orchestration.alerts.channels.build import build
from orchestration.alerts.channels.channel import Channel
from orchestration.alerts.rules import load_rules
from orchestration.alerts.store import ClickHouseStore
from orchestration.alerts.watch import Known, Trouble, compare, outbox_troubles, rejected_notice, tell
from orchestration.resources.clickhouse import ClickHouse
from orchestration.sensors.alerts import NAME
from orchestration.sensors.sensor_ticks import sensor_states, steady_since

INTERVAL_SECONDS: Final = 29


@dg.sensor(
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says on another channel when alerts cannot be sent: rejected, stuck, or their sensor is in trouble.",
)
def alert_watch(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult:
    """Look, and say what is new or over."""
    clock = SystemClock()
    memory = json.loads(context.cursor) if context.cursor else {}
    look = Look(load_settings(), clickhouse, clock.now())
    steady = steady_since(memory.get("steady") or {}, look.now)
    troubles = [*look.rules(), *look.sensor(context.instance, steady), *look.outbox(memory.get("rejected_until"))]
    known = {name: Known.from_json(one) for name, one in memory.get("known", {}).items()}
    going, notices = compare(known, troubles, look.unknown, look.now)
    notices += [rejected_notice(look.rejected)] if look.rejected else []
    said = [tell(notice, look.channels) for notice in notices]
    cursor = {
        "known": {name: one.to_json() for name, one in going.items()},
        "rejected_until": look.rejected_until,
        "steady": steady,
    }
    reason = "; ".join(one.text for one in troubles) or "The alerting does its work."
    reason = " ".join(filter(None, [reason, f"{len(notices)} messages sent.", *said]))
    return dg.SensorResult(skip_reason=reason, cursor=json.dumps(cursor))


@dataclass
class Look:
    """One look at the parts of the alerting.

    Args:
        settings, clickhouse, now: where and when.
        channels: where trouble is told; none while the rules cannot be read.
        unknown: beginnings of subjects that could not be looked at.
        rejected: what was rejected since the last look, which reached to `rejected_until`.

    """

    settings: Settings
    clickhouse: ClickHouse
    now: datetime
    channels: list[Channel] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    rejected: list[Any] = field(default_factory=list)
    rejected_until: str = ""

    def rules(self) -> list[Trouble]:
        """Read the rules and find the channels that they name for this."""
        try:
            rules = load_rules(self.settings)
            built = build(rules, self.settings)
        except UserError as error:
            return [Trouble("rules:file", str(error))]
        self.channels = [built[name] for name in rules.watch if name in built]
        return []

    def sensor(self, instance: dg.DagsterInstance, steady: Mapping[str, str]) -> list[Trouble]:
        """Look whether the sensor that sends alerts ticks and does not fail."""
        seen = sensor_states(instance, {NAME}, self.now, steady)
        if not seen:
            self.unknown.append("sensor:")
        return [Trouble(one.subject, f"The sensor {NAME} is in trouble. {one.summary}") for one in seen if one.failing]

    def outbox(self, rejected_until: str | None) -> list[Trouble]:
        """Look at ClickHouse and what waits there."""
        since = datetime.fromisoformat(rejected_until) if rejected_until else self.now
        self.rejected_until = since.isoformat()
        try:
            with self.clickhouse.client() as client:
                store = ClickHouseStore(client)
                self.rejected = store.rejected(since)
                found = outbox_troubles(store.waiting(), self.now)
        except MillraceError as error:
            self.unknown.append("outbox:")
            return [Trouble("clickhouse:server", f"Incidents cannot be kept, so no alert is sent. {error}")]
        if self.rejected:
            self.rejected_until = max(row.updated_at for row in self.rejected).astimezone(UTC).isoformat()
        return found
