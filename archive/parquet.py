"""Rows from ClickHouse to Parquet files and back, in Arrow batches, so that memory does not follow the day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from clickhouse_connect.driver.client import Client

from archive.manifest import ParquetFile
from archive.store import Store
from archive.tables import ON_DAY, Column, RawTable
from contracts.clickhouse import mapped_errors
from contracts.errors import RetryLater

# A group is what a reader takes into memory at least: some 100 MB of events.
_GROUP_ROWS: Final = 262_144
# One file of a very large day would be hard to move; 20 million events are about 1 GB.
_FILE_ROWS: Final = 20_000_000
_PARQUET: Final[dict[str, Any]] = {
    "compression": "zstd",
    "compression_level": 3,
    # A reader without the manifest sees a damaged page, too.
    "write_page_checksum": True,
    # The Arrow schema would bring back types that only Arrow has.
    "store_schema": False,
}
# Texts of dead letters that are ours, hence UTF-8.
_TEXT: Final = ("kafka_topic", "error_class", "error_text")
_LZ4: Final = pa.ipc.IpcWriteOptions(compression="lz4")


def write_files(groups: Iterator[pa.Table], store: Store, stem: str) -> tuple[ParquetFile, ...]:
    """Write the groups of rows in their order to files whose names begin with `stem`.

    Raises:
        RetryLater: ClickHouse or the store is away, busy or full.
        Permanent: one of them refuses.
    """
    files: list[ParquetFile] = []
    group = next(groups, None)
    while group is not None:
        name, rows = f"{stem}-{len(files)}.parquet", 0
        with store.writing(name) as sink, pq.ParquetWriter(sink, group.schema, **_PARQUET) as writer:
            while group is not None and rows < _FILE_ROWS:
                writer.write_table(group, row_group_size=_GROUP_ROWS)
                rows += group.num_rows
                group = next(groups, None)
        files.append(ParquetFile(name.rsplit("/", 1)[-1], sink.bytes, sink.sha256, rows))
    return tuple(files)


def load_batches(client: Client, rows: Iterable[pa.RecordBatch], columns: Sequence[Column], table: str) -> None:
    """Insert rows of Parquet files into `table`.

    Raises:
        RetryLater, Permanent: as `write_files`.
    """
    listed = ", ".join(f"`{each.name}`" for each in columns)
    query = f"INSERT INTO {table} ({listed}) FORMAT ArrowStream\n"
    settings = {"async_insert": 0, "max_insert_block_size": _GROUP_ROWS, "insert_deduplicate": 0}
    for batch in rows:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=_LZ4) as stream:
            stream.write_batch(batch)
        with mapped_errors():
            client.raw_insert("", None, query.encode() + sink.getvalue().to_pybytes(), settings=settings)


def read_files(store: Store, names: Sequence[str], columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of Parquet files in batches of at most a row group."""
    for name in names:
        with store.opened(name) as file:
            yield from pq.ParquetFile(file).iter_batches(
                batch_size=_GROUP_ROWS, columns=[each.name for each in columns]
            )


def read_groups(client: Client, table: RawTable, day: date, columns: Sequence[Column]) -> Iterator[pa.Table]:
    """Yield the rows of `table` that landed on `day`, sorted, in groups that fit into memory.

    Raises:
        RetryLater: ClickHouse is away or busy.
        Permanent: it refuses.
    """
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in _rows(client, table, day, columns):
        held.append(batch)
        rows += batch.num_rows
        if rows >= _GROUP_ROWS:
            yield pa.Table.from_batches(held)
            held, rows = [], 0
    if rows:
        yield pa.Table.from_batches(held)


def _rows(client: Client, table: RawTable, day: date, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    listed = ", ".join(f"`{each.name}`" for each in columns)
    settings = {
        "output_format_arrow_compression_method": "lz4_frame",
        "output_format_arrow_string_as_string": int(table.is_text),
        # Parts lie in this order already and are only merged; where they are very many, the disk helps.
        "optimize_read_in_order": 1,
        "max_bytes_before_external_sort": 400_000_000,
    }
    query = f"SELECT {listed} FROM {table.name} WHERE {ON_DAY} ORDER BY {table.order}"  # noqa: S608 - our own names
    with mapped_errors():
        stream: Any = client.raw_stream(query, parameters={"day": day}, settings=settings, fmt="ArrowStream")
    try:
        for batch in pa.ipc.open_stream(stream):
            if batch.num_rows:
                yield batch if table.is_text else _with_texts(batch)
    except (pa.ArrowException, OSError) as error:
        # What went wrong in the server's midst stands in the stream, where it is no Arrow.
        text = " ".join(str(error).split())[:200]
        raise RetryLater(f"ClickHouse broke off while {table.name} was read: {text}") from error
    finally:
        stream.close()


def _with_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    fields = [pa.field(one.name, pa.string(), one.nullable) if one.name in _TEXT else one for one in batch.schema]
    return batch.cast(pa.schema(fields))
