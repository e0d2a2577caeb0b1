"""The code location: puts the parts together, and nothing else."""

from __future__ import annotations

import dagster as dg

from contracts.settings import load_settings
from orchestration.assets.archive import archive_views, archived_days
from orchestration.assets.dbt_models import dbt_models
from orchestration.assets.event_profiles import event_profiles
from orchestration.assets.experiment_results import experiment_looks
from orchestration.assets.landed_days import landed_days
from orchestration.assets.raw import raw_specs
from orchestration.assets.retention import retention_job
from orchestration.checks.all import OUR_CHECKS
from orchestration.jobs import analyses_job, archive_job, checks_job, marts_job, shop_checks_job, tests_job
from orchestration.resources.clickhouse import ClickHouse
from orchestration.resources.dbt import dbt_resource
from orchestration.sensors.after_marts import analyses, dbt_tests
from orchestration.sensors.alert_watch import alert_watch
from orchestration.sensors.alerts import alerts
from orchestration.sensors.checks import checks, shop_checks
from orchestration.sensors.closed_days import closed_days
from orchestration.sensors.observations import observations
from orchestration.sensors.raw_rows import raw_rows
from orchestration.sensors.retention import old_runs

defs = dg.Definitions(
    assets=[*raw_specs(load_settings()), dbt_models, experiment_looks, event_profiles, landed_days, archived_days],
    asset_checks=OUR_CHECKS,
    jobs=[marts_job, analyses_job, checks_job, shop_checks_job, tests_job, archive_job, retention_job],
    sensors=[
        *(raw_rows, observations, analyses, checks, shop_checks, dbt_tests),
        *(alerts, alert_watch, old_runs, closed_days),
    ],
    resources={
        "clickhouse": ClickHouse(),
        "dbt": dbt_resource(load_settings()),
        "archive_duckdb": archive_views(load_settings()),
    },
    executor=dg.in_process_executor,
)
