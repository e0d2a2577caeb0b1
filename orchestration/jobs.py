"""Jobs: the marts and the item-sales check at streaming cadence, dbt's tests and the experiments less often."""

from __future__ import annotations

from typing import Final

import dagster as dg

from contracts.names import DBT_JOB
from orchestration.assets.dbt_models import dbt_models
from orchestration.assets.experiment_results import experiment_looks
from orchestration.checks.item_sales import item_sales_within_expected

TESTS_JOB: Final = "dbt_tests"
EXPERIMENTS_JOB: Final = "experiments"

_models = dg.AssetSelection.assets(*dbt_models.keys)

marts_job = dg.define_asset_job(
    DBT_JOB,
    selection=_models.without_checks() | dg.AssetSelection.checks(item_sales_within_expected),
    description="All dbt models, then the item-sales check.",
    executor_def=dg.in_process_executor,
)
tests_job = dg.define_asset_job(
    TESTS_JOB,
    selection=dg.AssetSelection.checks_for_assets(*dbt_models.keys)
    - dg.AssetSelection.checks(item_sales_within_expected),
    description="dbt's data tests, as asset checks.",
    executor_def=dg.in_process_executor,
)
experiments_job = dg.define_asset_job(
    EXPERIMENTS_JOB,
    selection=dg.AssetSelection.assets(experiment_looks.key),
    description="A look at every experiment.",
    executor_def=dg.in_process_executor,
)
