"""The archive as an asset: a partition is a day of landing, written to Parquet and proven."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final

import dagster as dg
from dagster_duckdb import DuckDBResource

from archive.place import Archive
from archive.store import Store
from archive.tables import TABLES
from archive.views import views_file
from archive.write import Archived, archive_day
from contracts.clock import SystemClock
from contracts.names import RAW_DEAD_LETTERS, RAW_EVENTS
from contracts.settings import Settings, load_settings
from orchestration.assets.raw import PLATFORM_OWNERS, table_key

ARCHIVE_KEY: Final = dg.AssetKey(["archive", "raw_days"])
ARCHIVE_CHECK: Final = "archive_verified"
FIRST_DAY: Final = date(2026, 1, 1)
_MEGABYTE: Final = 1_000_000


def archive_views(settings: Settings) -> DuckDBResource:
    """Return DuckDB with the views over the archive, for reading; many may read at once."""
    return DuckDBResource(
        database=str(views_file(settings.millrace_home.absolute())), connection_config={"access_mode": "READ_ONLY"}
    )


def in_one_run(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Let a backfill of many days be one run, day after day: a process a day at once would be too many."""
    # Said in the decorator, Dagster would print a warning (beta) at each start.
    return asset.with_attributes(backfill_policy=dg.BackfillPolicy.single_run())


@in_one_run
@dg.asset(
    key=ARCHIVE_KEY,
    deps=[table_key(RAW_EVENTS), table_key(RAW_DEAD_LETTERS)],
    group_name="archive",
    kinds={"parquet", "duckdb"},
    owners=list(PLATFORM_OWNERS),
    partitions_def=dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC"),
    check_specs=[
        dg.AssetCheckSpec(
            name=ARCHIVE_CHECK,
            asset=ARCHIVE_KEY,
            description="DuckDB's views show each archived day with as many rows as were compared, column by column.",
        )
    ],
    description=(
        "Closed landing days of raw.events and raw.dead_letters as Parquet. A day counts only when DuckDB, reading it "
        "back, finds the rows, offsets and checksum of every column that ClickHouse has."
    ),
)
def archived_days(
    context: dg.AssetExecutionContext, archive_duckdb: DuckDBResource
) -> Iterator[dg.MaterializeResult[Any]]:
    """Archive the run's days; days that are archived as they are cost a look at their files.

    Raises:
        RetryLater: a neighbour is away, or rows landed meanwhile; the sensor asks again.
        Permanent: a neighbour refuses, or what was written is not what ClickHouse has.
    """
    days = [date.fromisoformat(key) for key in context.partition_keys]
    with Archive.opened(load_settings(), SystemClock()) as archive:
        done = [each for day in days for each in archive_day(archive, day)]
        shown = _shown(archive_duckdb, archive.store, days)
    rows, size = (sum(getattr(each, name) for each in done) for name in ("rows", "bytes"))
    yield dg.MaterializeResult(
        metadata={"dagster/row_count": rows, "megabytes": round(size / _MEGABYTE, 1)},
        check_results=[verdict(done, shown)],
    )


def verdict(done: Sequence[Archived], shown: dict[tuple[str, date], int]) -> dg.AssetCheckResult:
    """Return the check's result: what was archived beside what the views show, by table and day."""
    wrong = [each for each in done if shown.get((each.table, each.day), 0) != each.rows]
    lines = ["| day | table | archived rows | rows in DuckDB's view | MB | |", "|---|---|---:|---:|---:|---|"]
    lines += [
        f"| {each.day} | {each.table} | {each.rows:,} | {shown.get((each.table, each.day), 0):,} "
        f"| {each.bytes / _MEGABYTE:,.1f} | {_word(each)} |"
        for each in done
    ]
    rows = sum(each.rows for each in done)
    return dg.AssetCheckResult(
        asset_key=ARCHIVE_KEY,
        check_name=ARCHIVE_CHECK,
        passed=not wrong,
        description=(
            f"DuckDB's view of {wrong[0].table} shows another number of rows on {wrong[0].day} than was archived."
            if wrong
            else f"{rows:,} rows verified."
        ),
        metadata={
            "days": dg.MetadataValue.md("\n".join(lines)),
            "failed_rows": len(wrong),
            "group": "all_there",
            "runbook": "docs/runbooks/archive.md",
        },
    )


def _word(each: Archived) -> str:
    return "written and compared now" if each.is_new else "left ClickHouse" if each.is_dropped else "was archived"


def _shown(duckdb: DuckDBResource, store: Store, days: Iterable[date]) -> dict[tuple[str, date], int]:
    wanted = ", ".join(f"DATE '{day.isoformat()}'" for day in days)
    found: dict[tuple[str, date], int] = {}
    with duckdb.get_connection() as connection:
        store.prepare(connection)
        for table in TABLES:
            query = f"SELECT day, count(*) FROM {table.folder} WHERE day IN ({wanted}) GROUP BY day"  # noqa: S608 - dates
            found |= {(table.name, day): int(rows) for day, rows in connection.execute(query).fetchall()}
    return found
