"""Failed checks, runs and sensors become incidents, and incidents become messages.

Slack, mail server or webhook down: the messages wait in the outbox and the tick says so. ClickHouse down: it skips, the
cursor stays, nothing is lost, and the sensor `alert_watch` says so elsewhere. It starts no run and none waits for it.
"""

import json
import random
from datetime import datetime
from typing import Any, Final

import dagster as dg

from contracts.clock import SystemClock
from contracts.errors import MillraceError, UserError
from contracts.settings import Settings, load_settings
from orchestration.alerts.attempts import Outcome
from orchestration.alerts.channels.build import build
from orchestration.alerts.delivery import Courier
from orchestration.alerts.digest import PERIOD, digest_rows, due_day, today
from orchestration.alerts.health import upstream_health
from orchestration.alerts.incidents import Observation
from orchestration.alerts.intake import Intake
from orchestration.alerts.rules import Rules, load_rules
from orchestration.alerts.store import ClickHouseStore
from orchestration.resources.clickhouse import ClickHouse
from orchestration.sensors.check_results import new_results
from orchestration.sensors.run_ends import new_run_ends
from orchestration.sensors.sensor_ticks import sensor_states, steady_since

# The daemon looks every 5 s; with exactly 5 here, a look that is early by milliseconds would be skipped.
INTERVAL_SECONDS: Final = 4
NAME: Final = "alerts"


@dg.sensor(
    name=NAME,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns failed checks, runs and sensors into incidents and delivers their messages.",
)
def alerts(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult | dg.SkipReason:
    """Take in what is new, then deliver what is due. The cursor moves on when the incidents are in ClickHouse."""
    settings, clock = load_settings(), SystemClock()
    observations, memory = _observed(context, clock)
    try:
        rules = load_rules(settings)
        with clickhouse.client() as client:
            store = ClickHouseStore(client)

            def health() -> str:
                return upstream_health(context.instance, client, clock.now())

            changed = Intake(store, rules, settings, health).take_in(observations, clock.now())
            memory["digest"] = _digest(store, rules, settings, str(memory["digest"]), clock.now())
            jitter = random.Random()  # noqa: S311 - spreads repeats, keeps no secret
            outcome = Courier(store, build(rules, settings), rules, clock, jitter).deliver()
    except UserError as error:
        return dg.SkipReason(f"No alert is sent until this is mended. {error}")
    except MillraceError as error:
        return dg.SkipReason(f"Incidents are kept in ClickHouse at {clickhouse.address}; trying again. {error}")
    reason = _said(len(observations), len(changed), outcome)
    return dg.SensorResult(skip_reason=reason, cursor=json.dumps(memory))


def _digest(store: ClickHouseStore, rules: Rules, settings: Settings, last: str, now: datetime) -> str:
    """Put the daily digest into the outbox when it is due; return the day of the last one."""
    day = due_day(rules, last, now)
    if day and rules.digest:
        store.write_outbox(digest_rows(rules.digest, day, store.recent(now - PERIOD), now, settings))
    return day or last or today(rules, now)


def _observed(context: dg.SensorEvaluationContext, clock: SystemClock) -> tuple[list[Observation], dict[str, Any]]:
    seen = _read(context.cursor)
    instance, repository = context.instance, context.repository_def
    results, checks = new_results(instance, repository, seen.get("checks") or {})
    ends, runs = new_run_ends(instance, seen.get("runs") or {})
    names = {sensor.name for sensor in repository.sensor_defs} - {NAME} if repository else set()
    steady = steady_since(seen.get("steady") or {}, clock.now())
    states = sensor_states(instance, names, clock.now(), steady)
    memory = {"checks": checks, "runs": runs, "digest": seen.get("digest", ""), "steady": steady}
    return [*results, *ends, *states], memory


def _read(cursor: str | None) -> dict[str, Any]:
    """Return how far it has read; the cursor of an earlier version held the checks under another name."""
    data: dict[str, Any] = json.loads(cursor) if cursor else {}
    return data if "checks" in data else {"checks": data.get("seen", {})}


def _said(read: int, changed: int, outcome: Outcome) -> str:
    """Return the tick's reason: it never asks for a run, so it always says why not."""
    done = f"{read} observations, {changed} incidents changed, {outcome.sent} messages sent."
    return " ".join([done, *dict.fromkeys(outcome.troubles)])
