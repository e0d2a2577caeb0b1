"""The metrics that `millrace metrics` asks Kafka, ClickHouse and Dagster for; see `contracts/metrics.py` for the rules.

What a source does not tell has no series: a source that is away leaves a gap and `millrace_metrics_source_up` at 0,
never an old figure.
"""

from __future__ import annotations

from typing import Final

from contracts.metrics import Metric

_PARTITION: Final = ("topic", "partition")
# A run takes a second or so; with a backlog, or the archive, up to an hour.
_RUN_SECONDS: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)

SOURCE_UP: Final = Metric(
    "millrace_metrics_source_up",
    "gauge",
    "1 or 0",
    "Whether kafka, clickhouse and dagster answered this look in time.",
    "0: the log of `millrace metrics` says why; `millrace doctor` tests each of them.",
    ("source",),
)
LOOK_SECONDS: Final = Metric(
    "millrace_metrics_look_seconds",
    "gauge",
    "seconds",
    "How long this look at a source took; a source that did not answer in time has none.",
    "Above a few seconds the source is overloaded; a look is given up after 8 seconds.",
    ("source",),
)

END: Final = Metric(
    "millrace_kafka_end_offset",
    "gauge",
    "offset",
    "One past the last readable offset of a partition. Its rate is what clients send.",
    "When it stands still, nobody produces. `millrace:kafka_lag:events` says what of it has not landed.",
    _PARTITION,
)
NEWEST_MESSAGE_AGE: Final = Metric(
    "millrace_kafka_newest_message_age_seconds",
    "gauge",
    "seconds",
    "Time since the newest message of a topic was made, by Kafka's timestamp; none for an empty topic.",
    "Above the usual pause between two events nobody produces: look at the producers.",
    ("topic",),
)
WORKERS: Final = Metric(
    "millrace_kafka_workers",
    "gauge",
    "workers",
    "Living members of the workers' group: they sent a heartbeat within `KAFKA_SESSION_TIMEOUT_MS`.",
    "0 means that nothing lands. More than there are partitions, and some of them have nothing to do.",
)

RAW_END: Final = Metric(
    "millrace_raw_end_offset",
    "gauge",
    "offset",
    "One past the highest offset of a partition that is in either raw table.",
    "It follows `millrace_kafka_end_offset`. When it stands still and that one moves, look at the workers.",
    _PARTITION,
)
RAW_ROWS: Final = Metric(
    "millrace_raw_rows",
    "gauge",
    "rows",
    "Rows of raw.events and raw.dead_letters that are in ClickHouse now; archived days are not in it.",
    "It grows by what lands. It falls when `RETENTION_DAYS` takes days out, and at no other time.",
    ("table",),
)
LANDING_AGE: Final = Metric(
    "millrace_raw_newest_landing_age_seconds",
    "gauge",
    "seconds",
    "Time since the last row of a raw table landed; none for an empty table.",
    "Of raw.events: above `KAFKA_FLUSH_INTERVAL` by minutes while Kafka gets messages means that nothing lands.",
    ("table",),
)
PARTS: Final = Metric(
    "millrace_raw_parts",
    "gauge",
    "parts",
    "Active parts of the fullest partition of a table; the twenty tables with the most.",
    "ClickHouse slows inserts down from 1000 on and refuses them from 3000 on (its defaults): merges do not keep up, "
    "so write bigger batches or give it more processors.",
    ("table",),
)
DISK_FREE: Final = Metric(
    "millrace_raw_disk_free_bytes",
    "gauge",
    "bytes",
    "Free space of ClickHouse's disk.",
    "Compare it with `millrace_raw_disk_size_bytes`; `RETENTION_DAYS` makes room, or a bigger disk does.",
    ("disk",),
)
DISK_SIZE: Final = Metric(
    "millrace_raw_disk_size_bytes",
    "gauge",
    "bytes",
    "Size of ClickHouse's disk.",
    "Nothing; it is here to compare the free space with.",
    ("disk",),
)

BEHIND: Final = Metric(
    "millrace_marts_behind_events",
    "gauge",
    "events",
    "Landed events that an incremental model has not folded in yet, at most: dead letters between them count.",
    "It falls to about 0 with each run. When it grows, runs fail or take longer than the events take to come.",
    ("model",),
)
DELAY: Final = Metric(
    "millrace_marts_delay_seconds",
    "gauge",
    "seconds",
    "How long ago a model that is behind was folded last; 0 for one that has everything. So a quiet shop is fresh.",
    "Seconds are the cadence. Minutes: the job `marts` (or `analyses`) fails or hangs; Dagster says which model.",
    ("model",),
)
BUILD_AGE: Final = Metric(
    "millrace_marts_build_age_seconds",
    "gauge",
    "seconds",
    "Time since Dagster built a mart last, whether or not there was anything new for it.",
    "It grows while no rows land, because then there is nothing to build. Else as for `millrace_marts_delay_seconds`.",
    ("mart",),
)

CHECKS: Final = Metric(
    "millrace_checks_latest",
    "gauge",
    "checks",
    "Checks by the outcome of their latest evaluation: passed or failed. A check that is held back has passed.",
    "`millrace_checks_failing` names those that failed, the Health page of the dashboard says more.",
    ("outcome",),
)
FAILING: Final = Metric(
    "millrace_checks_failing",
    "gauge",
    "always 1",
    "A series for each check whose latest evaluation failed.",
    "Each check has a runbook: docs/runbooks/<check>.md.",
    ("asset", "check"),
)
EVALUATION_AGE: Final = Metric(
    "millrace_checks_newest_evaluation_age_seconds",
    "gauge",
    "seconds",
    "Time since any check was evaluated last.",
    "A minute is usual. Above ten nothing is checked any more, so nothing fails either: look at the sensor `checks`.",
)

INCIDENTS: Final = Metric(
    "millrace_alerts_open_incidents",
    "gauge",
    "incidents",
    "Incidents that are not over, by severity and state (open, acknowledged).",
    "`millrace alerts list` names them.",
    ("severity", "state"),
)
WAITING: Final = Metric(
    "millrace_alerts_waiting_messages",
    "gauge",
    "messages",
    "Messages in the outbox that wait to be delivered on a channel.",
    "Some are the rate limit or quiet hours. See `millrace_alerts_oldest_message_age_seconds`.",
    ("channel",),
)
OLDEST_AGE: Final = Metric(
    "millrace_alerts_oldest_message_age_seconds",
    "gauge",
    "seconds",
    "Age of the oldest message that should be delivered and is not; quiet hours, the rate limit and a channel that "
    "asked to wait are not in it. Nothing waits: no series.",
    "Above a few minutes somebody is not told: `millrace alerts test` says what the channel answers.",
    ("channel",),
)

RUNS: Final = Metric(
    "millrace_orchestration_runs",
    "gauge",
    "runs",
    "Dagster runs that have not ended, by job and status (QUEUED, STARTING, STARTED, …).",
    "Of each job one is usual. More than that wait for each other: look at the oldest in Dagster.",
    ("dagster_job", "status"),
)
RUN_ENDS: Final = Metric(
    "millrace_orchestration_run_ends_total",
    "counter",
    "runs",
    "Dagster runs that ended while this process looked, by job and status (SUCCESS, FAILURE, CANCELED).",
    "A failed run says in Dagster which model or check it was, and opens an incident.",
    ("dagster_job", "status"),
)
RUN_SECONDS: Final = Metric(
    "millrace_orchestration_run_seconds",
    "histogram",
    "seconds",
    "From start to end of each run counted in `millrace_orchestration_run_ends_total`.",
    "Of `marts` about what the freshness of the marts can be. When it grows with the history and not with the new "
    "events, a model reads too much.",
    ("dagster_job",),
    _RUN_SECONDS,
)
RUN_WAIT: Final = Metric(
    "millrace_orchestration_run_wait_seconds",
    "histogram",
    "seconds",
    "From the request to the start of each run counted in `millrace_orchestration_run_ends_total`.",
    "A second or two with the warm launcher, a minute for the first run after a start. More: the machine is short of "
    "processors or memory.",
    ("dagster_job",),
    _RUN_SECONDS,
)
DAEMON_AGE: Final = Metric(
    "millrace_orchestration_daemon_age_seconds",
    "gauge",
    "seconds",
    "Time since each of Dagster's daemons gave a sign of life.",
    "They do every 30 seconds. Minutes: the process `dagster-daemon` is dead, so nothing is built, checked or told.",
    ("daemon",),
)
TICK_AGE: Final = Metric(
    "millrace_orchestration_sensor_tick_age_seconds",
    "gauge",
    "seconds",
    "Time since the last tick of each sensor that is switched on.",
    "docs/dagster.md has how often each ticks. Longer: the daemon is overloaded, or a tick of it hangs.",
    ("sensor",),
)
TICKS: Final = Metric(
    "millrace_orchestration_sensor_ticks_total",
    "counter",
    "ticks",
    "Ticks that ended while this process looked, by sensor and status (SUCCESS, SKIPPED, FAILURE).",
    "A failed tick says in Dagster's Automation page what failed; three in a row open an incident.",
    ("sensor", "status"),
)

PLATFORM_METRICS: Final = (
    *(SOURCE_UP, LOOK_SECONDS),
    *(END, NEWEST_MESSAGE_AGE, WORKERS),
    *(RAW_END, RAW_ROWS, LANDING_AGE, PARTS, DISK_FREE, DISK_SIZE),
    *(BEHIND, DELAY, BUILD_AGE),
    *(CHECKS, FAILING, EVALUATION_AGE),
    *(INCIDENTS, WAITING, OLDEST_AGE),
    *(RUNS, RUN_ENDS, RUN_SECONDS, RUN_WAIT, DAEMON_AGE, TICK_AGE, TICKS),
)
