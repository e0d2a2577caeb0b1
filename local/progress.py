"""How far the data has come, read from ClickHouse and from the files the workers write."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from clickhouse_connect.driver.client import Client

from contracts.clickhouse import mapped_errors
from contracts.settings import Settings
from contracts.workers import read_lag

# The column of each mart that holds the time of the newest event folded into the row.
NEWEST_COLUMN = {
    "fct_user": "last_seen_at",
    "fct_item": "last_event_at",
    "fct_item_hourly": "last_event_at",
    "fct_experiment": "last_exposure_at",
}


@dataclass(frozen=True)
class Progress:
    """Counts and ages at one moment.

    Args:
        raw_rows, dead_letters: rows in the raw tables.
        lag: messages in Kafka that no worker has written yet, as the workers last said.
        mart_rows: rows by mart; a mart that is not made yet is missing.
        mart_age_s: seconds since the newest event in each mart happened.
    """

    raw_rows: int
    dead_letters: int
    lag: int
    mart_rows: dict[str, int]
    mart_age_s: dict[str, float | None]

    def as_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return asdict(self)


def read_progress(client: Client, settings: Settings) -> Progress:
    """Read the counts and ages.

    Raises:
        RetryLater, Permanent: ClickHouse cannot be reached or refuses.
    """
    now = datetime.now(UTC)
    with mapped_errors():
        raw, dead = client.query(
            "SELECT (SELECT count() FROM raw.events), (SELECT count() FROM raw.dead_letters)"
        ).result_rows[0]
        made = client.query("SELECT name FROM system.tables WHERE database = 'marts'").result_columns
        rows, ages = {}, {}
        for mart, column in NEWEST_COLUMN.items():
            if made and mart in made[0]:
                count, newest = client.query(
                    f"SELECT count(), toUnixTimestamp64Micro(max(toDateTime64({column}, 6))) "  # noqa: S608 - names of ours
                    f"FROM marts.{mart}"
                ).result_rows[0]
                rows[mart] = count
                ages[mart] = round(now.timestamp() - newest / 1e6, 1) if count else None
    return Progress(raw, dead, read_lag(settings), rows, ages)
