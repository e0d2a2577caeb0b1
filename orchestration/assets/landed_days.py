"""The marts' time partitions: days of landing, each of which can be computed again from Dagster's UI."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import dagster as dg
import yaml
from dagster_dbt import DbtCliResource

from contracts.errors import UserError
from contracts.names import ARCHIVED_OFFSETS, RAW_EVENTS
from orchestration.assets.archive import FIRST_DAY, in_one_run
from orchestration.assets.dbt_results import raise_failures
from orchestration.assets.raw import PLATFORM_OWNERS, table_key
from orchestration.resources.clickhouse import ClickHouse
from orchestration.resources.dbt import InProcessDbt
from orchestration.resources.dbt_project import project_dir

LANDED_DAYS_KEY: Final = dg.AssetKey(["intermediate", "landed_days"])
# ClickHouse slows inserts down from 1,000 parts in a partition on, and refuses from 3,000; the runs that keep the
# marts fresh go on meanwhile and need their share.
MOST_PARTS: Final = 300
_PARTS_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 2.0
# Models of events look at one slice at a time, the models of what those made at all days at once.
_OF_EVENTS: Final = ("--select", "int_events+1,config.materialized:incremental")
_OF_THOSE: Final = ("--select", "config.materialized:incremental", "--exclude", "int_events+1")
_MINUTES: Final = f"""
SELECT toStartOfMinute(ingested_at) AS minute, count()
FROM {RAW_EVENTS}
WHERE ingested_at >= {{day:DateTime('UTC')}} AND ingested_at < {{day:DateTime('UTC')}} + INTERVAL 1 DAY
GROUP BY minute ORDER BY minute
"""  # noqa: S608 - our own constant
_AWAY: Final = f"""
SELECT DISTINCT day FROM {ARCHIVED_OFFSETS}
WHERE table_name = '{RAW_EVENTS}' AND state IN ('moving', 'dropped') AND day IN {{days:Array(Date)}} ORDER BY day
"""  # noqa: S608 - our own constants
_PARTS: Final = """
SELECT max(parts) FROM (
    SELECT count() AS parts FROM system.parts
    WHERE active AND database IN ('intermediate', 'marts') GROUP BY database, table, partition_id
)
"""


@dataclass(frozen=True)
class Slice:
    """What landed from one minute to another.

    Args:
        since, until: UTC; `until` is not in it.
        events: how many.

    """

    since: datetime
    until: datetime
    events: int


def slices(minutes: Iterable[tuple[datetime, int]], most: int) -> list[Slice]:
    """Return the minutes put together to at most `most` events; a fuller minute is a slice of its own."""
    found: list[Slice] = []
    for minute, events in minutes:
        last = found[-1] if found else None
        end = minute + timedelta(minutes=1)
        if last is not None and last.events + events <= most:
            found[-1] = Slice(last.since, end, last.events + events)
        else:
            found.append(Slice(minute, end, events))
    return found


@in_one_run
@dg.asset(
    key=LANDED_DAYS_KEY,
    deps=[table_key(RAW_EVENTS)],
    group_name="intermediate",
    kinds={"clickhouse", "dbt"},
    owners=list(PLATFORM_OWNERS),
    partitions_def=dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1),
    description=(
        "Materialize days of this asset to compute again, in every mart, what landed on them: after a change to a "
        "model, or when somebody changed a table by hand. The marts stay as fresh as they are meanwhile."
    ),
)
def landed_days(
    context: dg.AssetExecutionContext,
    dbt: dg.ResourceParam[InProcessDbt | DbtCliResource],
    clickhouse: ClickHouse,
) -> dg.MaterializeResult[Any]:
    """Fold what landed on the run's days into the marts once more, a million events at a time.

    Raises:
        RetryLater: ClickHouse is away.
        UserError: a day is in the archive only.
        dagster.Failure: a model failed, or ClickHouse's merges do not keep up.
    """
    days = sorted(date.fromisoformat(key) for key in context.partition_keys)
    _refuse_archived(clickhouse, days)
    found = [one for day in days for one in _slices_of(clickhouse, day)]
    for one in found:
        _wait_for_merges(clickhouse, context)
        _run(context, dbt, _OF_EVENTS, one.since, one.until)
    if found:
        _run(context, dbt, _OF_THOSE, found[0].since, found[-1].until)
    return dg.MaterializeResult(metadata={"events": sum(one.events for one in found), "slices": len(found)})


def _refuse_archived(clickhouse: ClickHouse, days: Sequence[date]) -> None:
    with clickhouse.client() as client:
        away = [day for (day,) in client.query(_AWAY, parameters={"days": days}).result_rows]
    if away:
        raise UserError(f"{away[0]} is in the archive only: bring it back with `millrace restore {away[0]}` first")


def _slices_of(clickhouse: ClickHouse, day: date) -> list[Slice]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    with clickhouse.client() as client:
        rows = client.query(_MINUTES, parameters={"day": midnight}, query_tz="UTC", tz_mode="aware").result_rows
    variables = yaml.safe_load((project_dir() / "dbt_project.yml").read_text())["vars"]
    return slices(((minute, int(events)) for minute, events in rows), int(variables["run_events"]))


def _wait_for_merges(clickhouse: ClickHouse, context: dg.AssetExecutionContext) -> None:
    """Return when no partition of the models has more than MOST_PARTS parts."""
    deadline = time.monotonic() + _PARTS_SECONDS
    while (parts := _most_parts(clickhouse)) > MOST_PARTS:
        if time.monotonic() > deadline:
            raise dg.Failure(f"ClickHouse does not merge: a partition has {parts} parts after {_PARTS_SECONDS:g} s")
        context.log.info(f"A partition has {parts} parts; waiting until merges have made them {MOST_PARTS}.")
        time.sleep(_LOOK_SECONDS)


def _most_parts(clickhouse: ClickHouse) -> int:
    with clickhouse.client() as client:
        return int(client.query(_PARTS).result_rows[0][0] or 0)


def _run(
    context: dg.AssetExecutionContext,
    dbt: InProcessDbt | DbtCliResource,
    selection: Sequence[str],
    since: datetime,
    until: datetime,
) -> None:
    values = {"landed_from": f"{since:%Y-%m-%d %H:%M:%S}", "landed_until": f"{until:%Y-%m-%d %H:%M:%S}"}
    arguments = [*selection, "--vars", json.dumps(values)]
    if isinstance(dbt, DbtCliResource):
        dbt.cli(["run", *arguments]).wait()
    else:
        raise_failures("run", dbt.invoke("run", arguments, context.log))
