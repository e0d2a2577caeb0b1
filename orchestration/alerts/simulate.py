"""How often a rule would have fired on history, before it is switched on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import polars as pl
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import UserError
from contracts.names import ITEM_SALES_CHECK
from contracts.settings import Settings
from orchestration.alerts.incidents import Incident, Observation
from orchestration.alerts.lifecycle import Policy, fold
from orchestration.alerts.notice import duration
from orchestration.checks.catalogue import ITEM_DROPS
from orchestration.checks.item_drops import judge_drops
from orchestration.checks.item_sales import judge_hour, offending, read_hour

# A rule looks at one complete hour and returns the hits: item_id, sales, expected, ratio at least.
Rule: TypeAlias = Callable[[Client, datetime, Settings], pl.DataFrame]


def _drops(client: Client, hour: datetime, settings: Settings) -> pl.DataFrame:
    read = read_hour(client, hour, running=False)
    return offending(read, judge_drops(read, settings))


RULES: Final[dict[str, Rule]] = {ITEM_SALES_CHECK: judge_hour, ITEM_DROPS.name: _drops}
_SHOWN: Final = 200


@dataclass(frozen=True)
class Hit:
    """Something that would have been alerted."""

    hour: str
    item: str
    observed: float
    expected: float
    ratio: float


@dataclass
class Report:
    """What a rule would have done.

    Args:
        rule: its name.
        since, until: the complete hours that were judged, in UTC.
        hours, hours_with_hits: how many.
        incidents: messages that would have been posted: hours with hits that follow each other are one.
        incidents_a_week: the same as a rate.
        hits: each of them, the oldest first.

    """

    rule: str
    since: str
    until: str
    hours: int = 0
    hours_with_hits: int = 0
    incidents: int = 0
    incidents_a_week: float = 0.0
    hits: list[Hit] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def rule_of(name: str) -> str:
    """Return the rule's whole name; a beginning that no other has is enough.

    Raises:
        UserError: no rule begins so, or several do.

    """
    found = [rule for rule in RULES if name and rule.startswith(name)]
    if len(found) != 1:
        raise UserError(f"{name!r} is none of the rules that look at hours: {', '.join(RULES)}")
    return found[0]


def run(
    name: str,
    client: Client,
    settings: Settings,
    span: tuple[datetime, datetime],
    each: Callable[[Sequence[datetime]], Iterable[datetime]] = iter,
) -> Report:
    """Judge each complete hour of a span as the check does.

    Args:
        name: of the rule.
        client: may read the marts.
        settings: the rule's limits.
        span: from when to when, in UTC.
        each: goes through the hours, for whoever wants to see how far it is: an hour takes some tenths of a second.

    Raises:
        RetryLater, Permanent: ClickHouse cannot be reached or refuses.

    """
    end = span[1].replace(minute=0, second=0, microsecond=0)
    with mapped_errors():
        begin = max(_up_to_hour(span[0]), _first_hour(client) or end)
        hours = [begin + timedelta(hours=number) for number in range(int((end - begin) / timedelta(hours=1)))]
        judged = [(hour, RULES[name](client, hour, settings)) for hour in each(hours)]
    report = Report(name, begin.isoformat(), end.isoformat(), hours=len(hours))
    report.hours_with_hits = sum(bool(len(hits)) for _, hits in judged)
    report.hits = [_hit(hour, row) for hour, hits in judged for row in hits.iter_rows(named=True)]
    report.incidents = _incidents(name, [(hour, bool(len(hits))) for hour, hits in judged])
    report.incidents_a_week = round(report.incidents * 168 / len(hours), 2) if hours else 0.0
    return report


def as_text(report: Report) -> str:
    """Return the report for a terminal."""
    lasted = duration(report.hours * 3600)
    lines = [
        f"{report.rule} on {report.hours} complete hours ({lasted}) from {report.since} to {report.until}:",
        f"{report.incidents} incidents ({report.incidents_a_week:g} a week)",
        f"{len(report.hits)} hits in {report.hours_with_hits} hours",
    ]
    lines += [
        f"  {hit.hour}  {hit.item}  observed {hit.observed:g}, expected {hit.expected:.1f} ({hit.ratio:.1f}x)"
        for hit in report.hits[-_SHOWN:]
    ]
    more = len(report.hits) - _SHOWN
    return "\n".join([*lines, *([f"  and {more} earlier ones; --json has them all"] if more > 0 else [])])


def _incidents(name: str, hours: list[tuple[datetime, bool]]) -> int:
    """Return how many incidents the hours make: the same folding as for real."""
    current: Incident | None = None
    seen = set()
    for hour, failing in hours:
        current = fold(current, Observation(name, "check", name, hour, failing), Policy()).incident
        if current is not None:
            seen.add(current.fingerprint)
    return len(seen)


def _first_hour(client: Client) -> datetime | None:
    """Return the first hour of the history, None when there is none."""
    ((count, first),) = client.query(
        "SELECT count(), min(event_hour) FROM marts.fct_item_hourly", tz_mode="aware"
    ).result_rows
    return first if count else None


def _up_to_hour(moment: datetime) -> datetime:
    floor = moment.replace(minute=0, second=0, microsecond=0)
    return floor if floor == moment else floor + timedelta(hours=1)


def _hit(hour: datetime, row: dict[str, Any]) -> Hit:
    return Hit(
        hour=f"{hour:%Y-%m-%d %H:%M}",
        item=str(row["item_id"]),
        observed=float(row["sales"]),
        expected=round(float(row["expected"]), 3),
        ratio=round(float(row["ratio"]), 3),
    )
