"""Names that more than one hop writes down: databases, tables, metrics' prefix, roles.

The hop words are produce, kafka, ingest, raw, staging, marts, checks, alerts, dashboard; folders,
Dagster groups and metric prefixes use them verbatim.
"""

from __future__ import annotations

from typing import Final

RAW_EVENTS: Final = "raw.events"
RAW_DEAD_LETTERS: Final = "raw.dead_letters"
INGEST_EPOCHS: Final = "raw.ingest_epochs"
DEAD_LETTER_ACTIONS: Final = "ops.dead_letter_actions"
RAW_REWINDS: Final = "raw.rewinds"
MODEL_WATERMARKS: Final = "ops.model_watermarks"
EXPERIMENT_RESULTS: Final = "ops.experiment_results"
DATABASES: Final = ("raw", "staging", "intermediate", "marts", "live", "ops")

# The marts of the path so far, in the order in which the data reaches them.
MARTS: Final = (
    *("fct_day", "fct_user", "fct_session", "fct_journey", "fct_journey_path", "fct_item", "fct_item_hourly"),
    *("fct_experiment", "fct_experiment_daily", "fct_experiment_exposure"),
    *("experiment_results", "experiment_results_hourly"),
    *("fct_funnel_user", "fct_funnel"),
)

ROLE_INGEST: Final = "millrace_ingest"
ROLE_DBT: Final = "millrace_dbt"
ROLE_DASHBOARD: Final = "millrace_dashboard"
ROLE_LETTERS: Final = "millrace_letters"

# Dagster names that an alert, a report or a link needs outside the orchestration package.
DBT_JOB: Final = "marts"
ITEM_SALES_CHECK: Final = "item_sales_within_expected"
