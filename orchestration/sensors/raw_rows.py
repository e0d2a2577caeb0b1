"""Asks for the marts when new raw rows have landed: one run at a time, at most one for each look of the daemon.

The daemon looks every 5 seconds; where a run takes longer, the next is asked for as soon as it has ended.

What it does when ClickHouse is down, busy or refuses: it skips and says so; the cursor stays.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

import dagster as dg
from clickhouse_connect.driver.client import Client

from contracts.clock import Clock, SystemClock
from contracts.errors import Permanent, RetryLater
from contracts.names import DBT_JOB, MODEL_WATERMARKS, RAW_EVENTS, RAW_REWINDS
from orchestration.assets.archive import ARCHIVE_KEY
from orchestration.assets.landed_days import LANDED_DAYS_KEY
from orchestration.jobs import marts_job
from orchestration.resources.clickhouse import ClickHouse

# The daemon looks every 5 s; with exactly 5 here, a look that is early by milliseconds would be skipped.
INTERVAL_SECONDS: Final = 4
RETRY_SECONDS: Final = 60
# A look that finds a run going waits for its end, nearly until the next look: new rows would wait 5 s more.
PATIENCE_SECONDS: Final = 4.5
_GLANCE_SECONDS: Final = 0.2
# A selection made in the UI runs as Dagster's own job; where it builds the same tables, it counts as well.
_UI_JOB: Final = "__ASSET_JOB"
_GOING: Final = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# Answered by the projection from the parts' headers: the cost does not grow with the rows.
_POSITION: Final = f"""
SELECT * FROM
(
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS position
    FROM {RAW_EVENTS}
    GROUP BY kafka_topic, kafka_partition
    UNION ALL
    -- A rewind adds rows below those offsets; its entries count as a position under no topic's name.
    SELECT '', 0, entries FROM (SELECT count() AS entries FROM {RAW_REWINDS}) WHERE entries > 0
)
ORDER BY kafka_topic, kafka_partition
"""  # noqa: S608 - our own constant

# A run folds in so many events at most (`run_events`); what it left is above its watermark.
_LEFT: Final = f"""
SELECT sum(greatest(0, toInt64(raw.newest) - toInt64(seen.kafka_offset)))
FROM (
    SELECT kafka_topic, kafka_partition, max(kafka_offset) AS newest
    FROM {RAW_EVENTS} GROUP BY kafka_topic, kafka_partition
) AS raw
INNER JOIN (SELECT * FROM {MODEL_WATERMARKS} FINAL WHERE model = 'int_events') AS seen
    ON raw.kafka_topic = seen.kafka_topic AND raw.kafka_partition = seen.kafka_partition
"""  # noqa: S608 - our own constants

Position = dict[str, int]


@dataclass(frozen=True)
class Cursor:
    """What was asked for last.

    Args:
        position: highest landed offset by `topic/partition` when the last run was asked for.
        serial: number of runs asked for; part of the run key, so that a table that was emptied and filled
            again to the same position is not mistaken for one already built.
        asked_at: when, in epoch seconds.

    """

    position: Position
    serial: int = 0
    asked_at: float = 0.0

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """Return the cursor written by `write`; anything else counts as none, which only costs a run."""
        try:
            return cls(**json.loads(text)) if text else cls({})
        except (ValueError, TypeError):
            return cls({})

    def write(self) -> str:
        """Return the cursor as text."""
        return json.dumps({"position": self.position, "serial": self.serial, "asked_at": self.asked_at})


@dg.sensor(
    job=marts_job,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the marts when new raw rows have landed and no run is going.",
)
def raw_rows(context: dg.SensorEvaluationContext, clickhouse: ClickHouse) -> dg.SensorResult | dg.SkipReason:
    """Compare the landing position with the cursor.

    The cursor moves when a run is asked for. A run that left events for the next one (`run_events`) is followed by
    it at once. A run that fails did not build what it was asked for: it is
    asked for again with the next rows, and without new rows once a minute.
    """
    going = _run_going(context.instance)
    if going is not None and ends_soon(context.instance, going, SystemClock(), PATIENCE_SECONDS):
        going = _run_going(context.instance)
    if going is not None:
        state = going.status.value.lower()
        return dg.SkipReason(f"Run {going.run_id[:8]} ({going.job_name}) is still going ({state}).")
    cursor = Cursor.read(context.cursor)
    try:
        with clickhouse.client() as client:
            position = landing_position(client)
            left = events_left(client) if position == cursor.position else 0
    except RetryLater as error:
        return dg.SkipReason(f"ClickHouse cannot be reached at {clickhouse.address}; trying again. {error}")
    except Permanent as error:
        return dg.SkipReason(f"ClickHouse at {clickhouse.address} refuses; see `millrace doctor`. {error}")
    return _decide(context.instance, cursor, position, left)


def ends_soon(instance: dg.DagsterInstance, run: dg.DagsterRun, clock: Clock, seconds: float) -> bool:
    """Wait for the end of `run`, so many seconds at most, and return whether it has ended."""
    deadline = clock.monotonic() + seconds
    while True:
        found = instance.get_run_by_id(run.run_id)
        if found is None or found.is_finished:
            return True
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(_GLANCE_SECONDS)


def landing_position(client: Client) -> Position:
    """Return the highest offset landed in raw by `topic/partition`."""
    rows = client.query(_POSITION).result_rows
    return {f"{topic}/{partition}": int(offset) for topic, partition, offset in rows}


def events_left(client: Client) -> int:
    """Return how many landed events the last run has left for the next one."""
    return int(client.query(_LEFT).result_rows[0][0])


def _decide(
    instance: dg.DagsterInstance, cursor: Cursor, position: Position, left: int
) -> dg.SensorResult | dg.SkipReason:
    now = SystemClock().now().timestamp()
    if not position:
        return dg.SkipReason(f"{RAW_EVENTS} is empty: nothing has landed yet.")
    retry = position == cursor.position
    failed = retry and _last_run_failed(instance)
    if retry and not (left and not failed):
        if not failed:
            return dg.SkipReason(f"No new rows in {RAW_EVENTS} since the last run was asked for.")
        if now - cursor.asked_at < RETRY_SECONDS:
            return dg.SkipReason("The last run failed, nothing new has landed; trying again within a minute.")
    following = Cursor(position, cursor.serial + 1, now)
    digest = hashlib.sha256(json.dumps(position).encode()).hexdigest()[:12]
    request = dg.RunRequest(
        run_key=f"{following.serial}-{digest}",
        tags={"millrace/reason": "retry" if failed else "rest" if retry else "new rows"},
    )
    return dg.SensorResult(run_requests=[request], cursor=following.write())


def _run_going(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    runs = instance.get_runs(dg.RunsFilter(job_name=DBT_JOB, statuses=_GOING), limit=1)
    selections = instance.get_runs(dg.RunsFilter(job_name=_UI_JOB, statuses=_GOING))
    return next((run for run in [*runs, *selections] if not _leaves_marts_alone(run)), None)


def _leaves_marts_alone(run: dg.DagsterRun) -> bool:
    """Whether it is a backfill of days, which may take hours; dbt's lock lets runs of the marts in between."""
    return run.asset_selection is not None and run.asset_selection <= {ARCHIVE_KEY, LANDED_DAYS_KEY}


def _last_run_failed(instance: dg.DagsterInstance) -> bool:
    runs = instance.get_runs(dg.RunsFilter(job_name=DBT_JOB), limit=1)
    return bool(runs) and runs[0].status is dg.DagsterRunStatus.FAILURE
