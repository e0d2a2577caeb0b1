"""What no run takes along when it is deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.sensors.retention import forget_observations

KEY = dg.AssetKey(["raw", "events"])


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
