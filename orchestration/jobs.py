"""Jobs: users, items and sessions at streaming cadence; funnels, experiments, dbt's tests and checks less often."""

from __future__ import annotations

from typing import Final

import dagster as dg

from contracts.names import ANALYSES_JOB, DBT_JOB, NICE_TAG
from orchestration.assets.archive import archived_days
from orchestration.assets.dbt_models import dbt_models
from orchestration.assets.event_profiles import event_profiles
from orchestration.assets.experiment_results import experiment_looks
from orchestration.assets.freshness import ANALYSES
from orchestration.checks.all import EVERY_MINUTE_CHECKS, EXPERIMENT_CHECKS, MARTS_CHECKS, OUR_CHECKS, SHOP_CHECKS

TESTS_JOB: Final = "dbt_tests"
CHECKS_JOB: Final = "checks"
ARCHIVE_JOB: Final = "archive"
SHOP_JOB: Final = "shop_checks"

# What is asked for twice a minute or less must not make what is asked for every few seconds late.
_GIVES_WAY: Final = {NICE_TAG: "10"}

_models = dg.AssetSelection.assets(*dbt_models.keys)
_streamed = (
    _models
    & dg.AssetSelection.assets(
        *(key for key in dbt_models.keys if key.path[0] == "marts" and not key.path[1].startswith(ANALYSES))
    ).upstream()
)

marts_job = dg.define_asset_job(
    DBT_JOB,
    selection=_streamed.without_checks() | dg.AssetSelection.checks(*MARTS_CHECKS),
    description="Users, items, sessions and journeys with all they are made from, then the item-sales check.",
    executor_def=dg.in_process_executor,
)
tests_job = dg.define_asset_job(
    TESTS_JOB,
    selection=dg.AssetSelection.checks_for_assets(*dbt_models.keys) - dg.AssetSelection.checks(*OUR_CHECKS),
    description="dbt's data tests, as asset checks.",
    tags=_GIVES_WAY,
    executor_def=dg.in_process_executor,
)
analyses_job = dg.define_asset_job(
    ANALYSES_JOB,
    selection=(_models - _streamed).without_checks()
    | dg.AssetSelection.assets(experiment_looks.key).without_checks()
    | dg.AssetSelection.checks(*EXPERIMENT_CHECKS),
    description="Funnels and experiments, then a look at every experiment and whether it is sound.",
    tags=_GIVES_WAY,
    executor_def=dg.in_process_executor,
)
checks_job = dg.define_asset_job(
    CHECKS_JOB,
    selection=dg.AssetSelection.checks(*EVERY_MINUTE_CHECKS),
    description="Whether all is there and fresh, once a minute.",
    executor_def=dg.in_process_executor,
)
shop_checks_job = dg.define_asset_job(
    SHOP_JOB,
    selection=dg.AssetSelection.assets(event_profiles.key).without_checks() | dg.AssetSelection.checks(*SHOP_CHECKS),
    description="What events looked like in the last complete hour, and whether it was sane or remarkable.",
    tags=_GIVES_WAY,
    executor_def=dg.in_process_executor,
)
archive_job = dg.define_asset_job(
    ARCHIVE_JOB,
    selection=dg.AssetSelection.assets(archived_days.key),
    description="Closed landing days as Parquet, written and proven.",
    tags=_GIVES_WAY,
    executor_def=dg.in_process_executor,
)
