"""Who may write a partition: epochs kept in ClickHouse, so that a worker which slept through a rebalance is refused.

A worker that is given a partition claims it with a higher epoch than any before, then waits until the inserts
that were running at that moment have ended, and only then reads the mark to resume from. Each insert checks in
the server, before it reads its rows, that its claims are still the highest. So an insert of an earlier owner
either began before the claim, and is waited for, or begins after it, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.errors import Permanent, RetryLater
from contracts.names import INGEST_EPOCHS, RUNNING_QUERIES
from streaming.ingest.records import Partition, Span

# Every insert's query id starts with this; raw.running_queries is searched for it.
QUERY_PREFIX: Final = "millrace-ingest:"
# Stands in the server's error when an insert's claim is not the highest any more.
REFUSAL: Final = "millrace: the partition has a newer owner"

_TOP: Final = f"""
SELECT kafka_topic, kafka_partition, max(claim).1, max(claim).2 FROM {INGEST_EPOCHS}
WHERE scope = {{scope:String}} AND has({{topics:Array(String)}}, kafka_topic)
GROUP BY kafka_topic, kafka_partition"""  # noqa: S608 - constant names
_CLAIM: Final = f"""
INSERT INTO {INGEST_EPOCHS} (scope, kafka_topic, kafka_partition, claim)
SELECT {{scope:String}}, row.1, row.2, (row.3, {{owner:String}})
FROM (SELECT arrayJoin(arrayZip(
    {{topics:Array(String)}}, {{partitions:Array(UInt32)}}, {{epochs:Array(UInt64)}})) AS row)"""  # noqa: S608
_RUNNING: Final = f"SELECT query_id FROM {RUNNING_QUERIES} WHERE startsWith(query_id, '{QUERY_PREFIX}')"  # noqa: S608

# The scope of the workers.
LIVE: Final = "ingest"

Holder = tuple[int, str]


class Epochs:
    """The claims of one worker.

    Args:
        client: returns the connected client, connecting first when there is none.
        group: the consumer group; two groups that load one topic into the same tables are told apart by it.
        owner: distinguishes this process from every other, also from an earlier one of the same name.
        scope: what is claimed: the live end of the partitions, or what a rewind reads again.
    """

    def __init__(self, client: Callable[[], Client], group: str, owner: str, scope: str = LIVE) -> None:
        self._client = client
        self._group = group
        self._owner = f"{group}/{owner}"
        self._scope = scope
        self._epochs: dict[Partition, int] = {}
        self._ever: set[Partition] = set()
        self._before: set[str] = set()

    def take(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Claim the partitions that are not ours yet; return all their epochs once no earlier insert can land.

        Raises:
            RetryLater: ClickHouse is away, another worker claimed at the same moment, or an insert of an
                earlier owner still runs; call it again.
            Permanent: a worker of another group has taken a partition from this one.
        """
        wanted = set(partitions)
        with mapped_errors():
            fresh = wanted - set(self._epochs)
            if fresh:
                claimed = self._claim(fresh)
                self._before |= self._running()
                self._epochs |= claimed
                self._ever |= fresh
            elif self._before:
                self._before &= self._running()
        if self._before:
            raise RetryLater(f"an insert of an earlier owner still runs in ClickHouse: {min(self._before)[:120]}")
        return {partition: self._epochs[partition] for partition in wanted}

    def release(self, partitions: Iterable[Partition]) -> None:
        """Forget claims: the next `take` makes higher ones."""
        for partition in partitions:
            self._epochs.pop(partition, None)

    def mark(self, token: str) -> str:
        """Return the token for inserts of this scope: epochs of two scopes count apart."""
        return token if self._scope == LIVE else f"{self._scope}:{token}"

    def guard(self, spans: Mapping[Partition, Span]) -> str:
        """Return an SQL condition that is true while all claims under which the spans were read are the highest.

        It raises an error with `REFUSAL` in the server otherwise. The server evaluates it when the query starts.
        """
        claims = ", ".join(
            f"({_quoted(partition.topic)}, {partition.number}, ({span.epoch}, {_quoted(self._owner)}))"
            for partition, span in spans.items()
        )
        topics = ", ".join(sorted({_quoted(partition.topic) for partition in spans}))
        highest = (
            f"SELECT kafka_topic, kafka_partition, max(claim) AS top FROM {INGEST_EPOCHS} "  # noqa: S608 - quoted
            f"WHERE scope = {_quoted(self._scope)} AND kafka_topic IN ({topics}) GROUP BY kafka_topic, kafka_partition"
        )
        mine = f"SELECT count() FROM ({highest}) WHERE (kafka_topic, kafka_partition, (top.1, top.2)) IN ({claims})"  # noqa: S608
        return f"throwIf(({mine}) != {len(spans)}, {_quoted(REFUSAL)}) = 0"

    def _claim(self, partitions: set[Partition]) -> dict[Partition, int]:
        holders = self._holders(partitions)
        for partition in partitions & self._ever & set(holders):
            self._refuse_other_group(partition, holders[partition])
        epochs = {partition: holders.get(partition, (0, ""))[0] + 1 for partition in partitions}
        order = sorted(epochs)
        parameters = {
            "scope": self._scope,
            "owner": self._owner,
            "topics": [partition.topic for partition in order],
            "partitions": [partition.number for partition in order],
            "epochs": [epochs[partition] for partition in order],
        }
        self._client().command(_CLAIM, parameters=parameters, settings={"async_insert": 0})
        holders = self._holders(partitions)
        for partition, epoch in epochs.items():
            if holders.get(partition) != (epoch, self._owner):
                raise RetryLater(f"another worker claimed {partition} at the same moment")
        return epochs

    def _refuse_other_group(self, partition: Partition, holder: Holder) -> None:
        group = holder[1].split("/", 1)[0]
        if group != self._group:
            raise Permanent(
                f"{partition} was taken over by a worker of the group {group!r}, this one is of {self._group!r}: "
                "one topic is loaded by one group; stop one of them, or give both the same KAFKA_GROUP_ID"
            )

    def _holders(self, partitions: set[Partition]) -> dict[Partition, Holder]:
        topics = sorted({partition.topic for partition in partitions})
        rows = self._client().query(_TOP, parameters={"scope": self._scope, "topics": topics}).result_rows
        return {Partition(topic, number): (epoch, owner) for topic, number, epoch, owner in rows}

    def _running(self) -> set[str]:
        return {row[0] for row in self._client().query(_RUNNING).result_rows}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
