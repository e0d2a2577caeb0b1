"""What no run takes along when it is deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.sensors.retention import forget_evaluations, forget_observations

KEY = dg.AssetKey(["raw", "events"])
CHECKS = dg.AssetSelection.all_asset_checks()


def test_old_observations_go_and_new_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.report_runless_asset_event(dg.AssetObservation(KEY, metadata={"lag": 1}))
        instance.report_runless_asset_event(dg.AssetMaterialization(KEY))
        now = datetime.now(UTC)
        forget_observations(instance, now - timedelta(minutes=1))
        assert len(instance.fetch_observations(KEY, limit=9).records) == 1
        forget_observations(instance, now + timedelta(minutes=1))
        assert instance.fetch_observations(KEY, limit=9).records == []
        assert len(instance.fetch_materializations(KEY, limit=9).records) == 1


def test_old_evaluations_go_but_the_latest_of_each_check_and_the_failed_ones(tmp_path: Path) -> None:
    """Dagster keeps them when it deletes their run: at a hundred checks a minute 400 MB a day, for ever."""
    passed = {"passed": True}

    @dg.asset_check(asset=KEY)
    def is_good() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(**passed)

    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        for verdict in (True, False, True, True):
            passed["passed"] = verdict
            dg.materialize([dg.AssetSpec(KEY), is_good], instance=instance, selection=CHECKS)
        now, hour = datetime.now(UTC), timedelta(hours=1)
        forget_evaluations(instance, now - hour, now - hour)
        assert said(instance) == [True, True, False, True]
        forget_evaluations(instance, now + hour, now - hour)
        assert said(instance) == [True, False]
        forget_evaluations(instance, now + hour, now + hour)
        assert said(instance) == [True]


def said(instance: dg.DagsterInstance) -> list[bool]:
    """The verdicts of the check that are kept, the newest first."""
    check = dg.AssetCheckKey(KEY, "is_good")
    history = instance.event_log_storage.get_asset_check_execution_history(check, limit=9)
    return [record.status.value == "SUCCEEDED" for record in history]
