"""Write a batch to ClickHouse: first its dead letters, then its events, each as one part.

One part means all or nothing, so after a crash the highest offset in `raw.events` tells exactly what
is there. Each insert checks in the server that this worker still owns the partitions (see `epochs`). Dead
letters go first: then an offset below that mark is in one of the two tables for certain, and a worker that
resumes needs to look only above the mark for dead letters it must not write again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from typing import Any, Final, Protocol

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.clock import Clock
from contracts.errors import Fenced, Permanent
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS
from streaming.ingest.batch import Batch
from streaming.ingest.columns import MILLISECONDS
from streaming.ingest.epochs import QUERY_PREFIX, REFUSAL, Epochs

_BLOCK_ROWS: Final = 2**22
# What makes an insert one block, hence one part. 0 bytes switches that limit off.
_ONE_PART: Final[dict[str, Any]] = {
    "input_format_parallel_parsing": 0,
    "max_insert_block_size": _BLOCK_ROWS,
    "min_insert_block_size_rows": _BLOCK_ROWS,
    "min_insert_block_size_bytes": 0,
    "max_insert_threads": 1,
    # The answer must mean that the rows are stored, and the token must be looked at.
    "async_insert": 0,
    "insert_deduplicate": 1,
    # The index of searches would make an insert half as long again; merges build it soon enough.
    "exclude_materialize_skip_indexes_on_insert": "words",
    # The live tables are fed by views on raw.events. What goes wrong there must not stop ingestion, and a repeat is
    # told to them again: they hold sets, and may have missed the first try.
    "materialized_views_ignore_errors": 1,
    "ignore_materialized_views_with_dropped_target_table": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}
# LZ4 shrinks the body to a third; the server then parses it faster than the plain one.
_ARROW: Final = pa.ipc.IpcWriteOptions(compression="lz4")


class Writes(Protocol):
    """What the loop needs of a writer."""

    def write(self, batch: Batch) -> None:
        """Make the batch durable, or raise RetryLater or Permanent; calling it again is harmless."""


class ClickHouseWriter:
    """Writes batches through one client.

    Args:
        client: returns the connected client, connecting first when there is none.
        epochs: this worker's claims.
        worker: name of the worker, shown in the server's query log.
        run: distinguishes this process's query ids from an earlier one's of the same name.
        clock: stamps `ingested_at`.
    """

    def __init__(self, client: Callable[[], Client], epochs: Epochs, worker: str, run: str, clock: Clock) -> None:
        self._client = client
        self._epochs = epochs
        self._worker = worker
        self._run = run
        self._clock = clock
        self._inserts = 0

    def write(self, batch: Batch) -> None:
        """Insert what of the batch is not known to be written yet.

        Raises:
            RetryLater: ClickHouse is away or busy, or its answer was lost; write the same batch again.
            Fenced: a partition has a newer owner; the batch is not written, and is not to be tried again.
            Permanent: ClickHouse refuses the insert for good.
        """
        batch.attempts += 1
        batch.stamped_at = _stamp(self._clock.now(), batch.stamped_at)
        if batch.letters and not batch.letters_written:
            self._insert(RAW_DEAD_LETTERS, batch.letters, batch)
            batch.letters_written = True
        if batch.events:
            self._insert(RAW_EVENTS, batch.events, batch)

    def _insert(self, table: str, parts: Sequence[pa.RecordBatch], batch: Batch) -> None:
        token = self._epochs.mark(batch.token())
        self._inserts += 1
        body = _arrow_stream(parts, batch.stamped_at)
        settings = _ONE_PART | {
            "insert_deduplication_token": token,
            "query_id": f"{QUERY_PREFIX}{self._worker}:{self._run}:{self._inserts}:{token[:200]}",
            "log_comment": f"millrace ingest {self._worker}, try {batch.attempts}: {token}",
        }
        names = ", ".join((*parts[0].schema.names, "ingested_at"))
        # input() has the table's own columns and types.
        query = (
            f"INSERT INTO {table} ({names}) SELECT {names} FROM input() "  # noqa: S608 - our own names
            f"WHERE {self._epochs.guard(batch.spans)} FORMAT ArrowStream\n"
        )
        try:
            with mapped_errors():
                self._client().raw_insert("", None, query.encode() + body, settings=settings)
        except Permanent as error:
            if REFUSAL in str(error):
                raise Fenced(f"{REFUSAL}: {token[:200]}") from error
            raise


def _stamp(now: datetime, earlier: datetime | None) -> datetime:
    """Return `now`, but no later than the day of an earlier try.

    The server looks for a token only within the table partition of the rows, which is the day of
    `ingested_at`: a try of yesterday whose answer was lost would not be recognised today.
    """
    if earlier is None or now.date() <= earlier.date():
        return now
    return datetime.combine(earlier.date(), time.max, UTC).replace(microsecond=999_000)


def _arrow_stream(parts: Sequence[pa.RecordBatch], stamp: datetime | None) -> bytes:
    joined = pa.concat_batches(parts)
    stamps = pa.repeat(pa.scalar(stamp, MILLISECONDS), joined.num_rows)
    joined = joined.append_column("ingested_at", stamps)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, joined.schema, options=_ARROW) as stream:
        stream.write_batch(joined)
    return bytes(sink.getvalue())
