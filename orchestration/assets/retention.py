"""Retention as a job: archived days that are old enough leave ClickHouse."""

from typing import Final

import dagster as dg

from archive.drop import drop_old_days
from archive.place import Archive
from contracts.clock import SystemClock
from contracts.settings import load_settings

RETENTION_JOB: Final = "retention"


@dg.op(
    description="Proves old days of the archive anew, and takes them out of ClickHouse once the marts have read them."
)
def drop_days(context: dg.OpExecutionContext) -> None:
    """Take days out that RETENTION_DAYS says; one that must stay is no failure: the log says why.

    Raises:
        RetryLater, Permanent: a neighbour is away, or refuses.
    """
    settings = load_settings()
    with Archive.opened(settings, SystemClock()) as archive:
        done = drop_old_days(archive, settings.retention_days)
    for each in done:
        context.log.info(
            f"{each.table} {each.day}: " + (f"kept: {each.held}" if each.held else f"{each.rows} rows left")
        )
    context.add_output_metadata(
        {"rows_left": sum(each.rows for each in done), "kept": sum(each.held is not None for each in done)}
    )


@dg.job(name=RETENTION_JOB, description="Takes archived days older than RETENTION_DAYS out of ClickHouse.")
def retention_job() -> None:
    """Run the one op."""
    drop_days()
