"""Whether something upstream explains what looks remarkable: then nobody is alerted about the shop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from orchestration.checks.catalogue import DEAD_LETTERS, MARTS_FRESH, OFFSETS, RAW_FRESH, REPEATS, SALES_BY_HOP
from orchestration.checks.check_info import CheckInfo

UPSTREAM: Final = (OFFSETS, RAW_FRESH, MARTS_FRESH, SALES_BY_HOP, DEAD_LETTERS, REPEATS)
# An older verdict says nothing about now: these are asked once a minute, and every ten seconds while one fails.
_VALID: Final = timedelta(minutes=5)


def held_back_by(instance: dg.DagsterInstance, now: datetime, checks: Iterable[CheckInfo] = UPSTREAM) -> str:
    """Return which checks upstream fail right now, as a sentence; '' when none does."""
    keys = [check.key for check in checks]
    return explanation(instance.event_log_storage.get_latest_asset_check_execution_by_key(keys), now)


def explanation(latest: Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord], now: datetime) -> str:
    """Return the sentence for the latest evaluations of the checks upstream."""
    failing = [
        key.name
        for key, record in latest.items()
        if record.status is AssetCheckExecutionRecordStatus.FAILED
        and now.timestamp() - record.create_timestamp < _VALID.total_seconds()
    ]
    if not failing:
        return ""
    names = " and ".join(sorted(failing))
    return f"{names} fail{'s' if len(failing) == 1 else ''} upstream, which may explain it."
