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
RUNNING_QUERIES: Final = "raw.running_queries"
ARCHIVED_DAYS: Final = "ops.archived_days"
ARCHIVED_OFFSETS: Final = "raw.archived_offsets"
MODEL_WATERMARKS: Final = "ops.model_watermarks"
EXPERIMENT_RESULTS: Final = "ops.experiment_results"
EVENT_PROFILES: Final = "ops.event_profiles"
INCIDENTS: Final = "ops.incidents"
INCIDENT_ACTIONS: Final = "ops.incident_actions"
ALERT_OUTBOX: Final = "ops.alert_outbox"
DATABASES: Final = ("raw", "staging", "intermediate", "marts", "live", "ops")

# The marts of the path so far, in the order in which the data reaches them.
MARTS: Final = (
    *("fct_day", "fct_user", "fct_session", "fct_journey", "fct_journey_path", "fct_item", "fct_item_hourly"),
    *("fct_experiment", "fct_experiment_daily", "fct_experiment_exposure"),
    *("experiment_results", "experiment_results_hourly"),
    *("fct_funnel_user", "fct_funnel"),
)
# What ClickHouse fills with every insert into raw.events, and the models on it.
LIVE_TABLES: Final = {
    "live.minute_sets": "Events, users and sessions of a minute and device, as sets of hashes.",
    "live.purchases": "Each purchase of the last hours, once.",
    "live.page_sets": "Views of a page in a minute, as sets of hashes.",
    "live.item_sets": "Events about an item in a minute, as sets of hashes.",
}
# What a cluster divides among its shards by Kafka partition; everything else is the same on every server.
SHARDED: Final = (RAW_EVENTS, RAW_DEAD_LETTERS, INGEST_EPOCHS, RAW_REWINDS, *LIVE_TABLES)
LIVE_MODELS: Final = ("live_minute", "live_active_users", "live_top_pages", "live_top_items")

ROLE_INGEST: Final = "millrace_ingest"
ROLE_DBT: Final = "millrace_dbt"
ROLE_DASHBOARD: Final = "millrace_dashboard"
ROLE_LETTERS: Final = "millrace_letters"
ROLE_RESPONDER: Final = "millrace_responder"
ROLE_METRICS: Final = "millrace_metrics"

# Dagster names that an alert, a report or a link needs outside the orchestration package.
DBT_JOB: Final = "marts"
ANALYSES_JOB: Final = "analyses"
# A job's tag: how far its runs give way to others at the processors, as `nice` has it.
NICE_TAG: Final = "millrace/nice"
ITEM_SALES_CHECK: Final = "item_sales_within_expected"
