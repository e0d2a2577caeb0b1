"""Every metric there is: its name, what it means, and what to do about it.

A process exposes exactly the metrics of its hop, and `docs/metrics.md` is made from this list; tests compare
all three. Names follow Prometheus' conventions: the hop as prefix, the base unit in the name, `_total` for
counters. A new metric is a line here and a line where it is exposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        name: as it is exposed.
        kind: counter (only grows while the process lives), gauge (goes up and down) or histogram.
        unit: of its value.
        meaning: what the value says, with what is not in it.
        what_to_do: when to look at it, and what helps.
        labels: names of its labels; none means a single series.
        buckets: upper bounds of a histogram, in `unit`, without the last one (+Inf).
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    what_to_do: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def hop(self) -> str:
        """The hop that exposes it: the word after `millrace_`."""
        return self.name.split("_")[1]


_PARTITION: Final = ("topic", "partition")
_INSERT_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# From a local network's milliseconds to a replay's days: what lies beyond a day is no delay any more.
_DELAY_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)
_ROWS: Final = (1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 25_000.0, 50_000.0, 100_000.0, 250_000.0, 1_000_000.0)

INFO: Final = Metric(
    "millrace_ingest_worker_info",
    "gauge",
    "always 1",
    "The worker's name; join the other metrics with it by instance.",
    "Nothing. It is here so that a panel can show names in place of addresses.",
    ("worker",),
)
STATE: Final = Metric(
    "millrace_ingest_state",
    "gauge",
    "1 for the present state, 0 for the others",
    "starting, running, waiting (for ClickHouse or Kafka) or stopping.",
    "When `waiting` stays at 1 for minutes, read the reason at `/health` and mend what it names; the worker goes on "
    "by itself, and nothing is lost meanwhile as long as the topic keeps the events.",
    ("state",),
)
EVENTS: Final = Metric(
    "millrace_ingest_events_total",
    "counter",
    "events",
    "Events that are durable in `raw.events`, written by this process.",
    "Its rate is the throughput. When it is 0 and the lag is above 0, look at `millrace_ingest_state`.",
)
BYTES: Final = Metric(
    "millrace_ingest_bytes_total",
    "counter",
    "bytes",
    "Bytes of the Kafka message values whose batches are durable, dead letters included.",
    "Divide by events and dead letters for the mean size of a message; a jump means that a producer has changed.",
)
BATCHES: Final = Metric(
    "millrace_ingest_batches_total",
    "counter",
    "batches",
    "Batches that are durable. A batch is one insert of events, and one more of dead letters when it has any.",
    "Many batches of few rows make many small parts in ClickHouse: raise `KAFKA_FLUSH_INTERVAL`.",
)
DEAD_LETTERS: Final = Metric(
    "millrace_ingest_dead_letters_total",
    "counter",
    "messages",
    "Messages that could not be events and are durable in `raw.dead_letters`, by reason.",
    "A rate above the usual means a broken producer: `SELECT error_class, error_text, payload FROM "
    "raw.dead_letters ORDER BY ingested_at DESC LIMIT 10` shows what it sends.",
    ("reason",),
)
INSERT_SECONDS: Final = Metric(
    "millrace_ingest_insert_seconds",
    "histogram",
    "seconds",
    "How long ClickHouse took to make a batch durable; tries that failed are not in it.",
    "When it grows, ClickHouse is short of disk, memory or merges; above 2 seconds workers begin to pause.",
    buckets=_INSERT_SECONDS,
)
INSERT_ROWS: Final = Metric(
    "millrace_ingest_insert_rows",
    "histogram",
    "rows",
    "Rows of each durable batch, dead letters included; its sum is events plus dead letters.",
    "Far below `KAFKA_BATCH_SIZE` while there is lag: the batches close by age or by bytes, so raise "
    "`KAFKA_FLUSH_INTERVAL`.",
    buckets=_ROWS,
)
RETRIES: Final = Metric(
    "millrace_ingest_retries_total",
    "counter",
    "tries",
    "Tries that failed and are repeated. `neighbour` is what did not do its part (clickhouse, kafka, "
    "partition_offsets: asking where to go on); `cause` is code_N with ClickHouse's own error number, else no_code "
    "(no answer, or Kafka's).",
    "A few are normal while a server restarts. code_252 (too many parts) and code_241 (memory) ask for bigger "
    "batches or a bigger server; no_code for a look at the network.",
    ("neighbour", "cause"),
)
LAG: Final = Metric(
    "millrace_ingest_lag_events",
    "gauge",
    "events",
    "Offsets between what is read and the partition's end. Markers of transactions count as offsets too. There is "
    "no series for a partition whose end is not known yet.",
    "When it grows for minutes, start another worker (at most one per partition works) or look at "
    "`millrace_ingest_insert_seconds`. Before it is as old as the topic's retention, events are safe.",
    _PARTITION,
)
POSITION: Final = Metric(
    "millrace_ingest_position_offset",
    "gauge",
    "offset",
    "The next offset this worker reads.",
    "When it stands still while the lag is above 0 and the state is running, take the worker's log to a person.",
    _PARTITION,
)
NEWEST_EVENT_AGE: Final = Metric(
    "millrace_ingest_newest_event_age_seconds",
    "gauge",
    "seconds",
    "Time since the newest event of this process in `raw.events` happened, by the event's own time; an event from "
    "the future counts as just now. NaN before the first event.",
    "Alert on it for freshness. When it grows and the lag is 0, nobody produces.",
)
PAUSES: Final = Metric(
    "millrace_ingest_pauses_total",
    "counter",
    "pauses",
    "How often reading was paused because ClickHouse did not take a full batch in time.",
    "Some are the bounded memory at work. A steady rate means that ClickHouse is the bottleneck.",
)
PAUSED: Final = Metric(
    "millrace_ingest_paused",
    "gauge",
    "1 or 0",
    "Whether reading is paused now; the worker stays in its group.",
    "As for `millrace_ingest_state` waiting.",
)
REBALANCES: Final = Metric(
    "millrace_ingest_rebalances_total",
    "counter",
    "rebalances",
    "How often the group gave this worker partitions (assigned), asked for some back (revoked), or went on without "
    "it (lost).",
    "Each start and end of a worker makes some. A steady rate, or any lost, means workers that come and go or "
    "hang: look at their logs and memory.",
    ("kind",),
)
PARTITIONS: Final = Metric(
    "millrace_ingest_partitions",
    "gauge",
    "partitions",
    "Partitions this worker has: `placed` are read, `unplaced` wait for their first offset.",
    "Summed over workers it is the topic's number of partitions. Unplaced for more than seconds: the reason is at "
    "`/health`. A worker with none is one too many.",
    ("placement",),
)
EVENT_TO_BROKER: Final = Metric(
    "millrace_ingest_event_to_broker_seconds",
    "histogram",
    "seconds",
    "From the event's own time to Kafka's timestamp of the message, each durable event once. A clock that is ahead "
    "counts as 0; messages without a timestamp are left out.",
    "Large values are clients that send late or have wrong clocks, or history that is replayed; ingest cannot "
    "shorten them.",
    buckets=_DELAY_SECONDS,
)
BROKER_TO_RAW: Final = Metric(
    "millrace_ingest_broker_to_raw_seconds",
    "histogram",
    "seconds",
    "From Kafka's timestamp of the message to `ingested_at`, each durable event once; add "
    "`millrace_ingest_insert_seconds` for the moment at which a query sees it. Messages without a timestamp are "
    "left out.",
    "This is ingest's own share. Without lag it is about `KAFKA_FLUSH_INTERVAL` at most: lower that for fresher "
    "rows. More means lag or waiting.",
    buckets=_DELAY_SECONDS,
)
EVENT_TO_RAW: Final = Metric(
    "millrace_ingest_event_to_raw_seconds",
    "histogram",
    "seconds",
    "From the event's own time to `ingested_at`, each durable event once; a clock that is ahead counts as 0.",
    "The freshness people feel. Compare the two parts above to see whose share grows.",
    buckets=_DELAY_SECONDS,
)
IN_HAND_ROWS: Final = Metric(
    "millrace_ingest_in_hand_rows",
    "gauge",
    "rows",
    "Rows that are read and not durable yet: the batch that fills and the one being written.",
    "At two full batches (`KAFKA_BATCH_SIZE`) reading waits for ClickHouse.",
)
IN_HAND_BYTES: Final = Metric(
    "millrace_ingest_in_hand_bytes",
    "gauge",
    "bytes",
    "Bytes of the message values in hand.",
    "It bounds memory; nothing to do.",
)
RESIDENT: Final = Metric(
    "millrace_ingest_resident_memory_bytes",
    "gauge",
    "bytes",
    "Resident memory of the process.",
    "It should stay flat whatever the lag. If it grows for hours, lower `KAFKA_BATCH_SIZE` and report it.",
)

METRICS: Final = (
    INFO,
    STATE,
    EVENTS,
    BYTES,
    BATCHES,
    DEAD_LETTERS,
    INSERT_SECONDS,
    INSERT_ROWS,
    RETRIES,
    LAG,
    POSITION,
    NEWEST_EVENT_AGE,
    PAUSES,
    PAUSED,
    REBALANCES,
    PARTITIONS,
    EVENT_TO_BROKER,
    BROKER_TO_RAW,
    EVENT_TO_RAW,
    IN_HAND_ROWS,
    IN_HAND_BYTES,
    RESIDENT,
)
