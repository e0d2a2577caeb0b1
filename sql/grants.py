"""Who may do what in ClickHouse, written once and rendered twice.

As SQL for a server whose users live in SQL, and as a users file for the local stack, whose server keeps
users in files only.
"""

from __future__ import annotations

from contracts.names import (
    ALERT_OUTBOX,
    ARCHIVED_OFFSETS,
    INCIDENT_ACTIONS,
    INCIDENTS,
    MODEL_WATERMARKS,
    ROLE_DASHBOARD,
    ROLE_DBT,
    ROLE_INGEST,
    ROLE_LETTERS,
    ROLE_METRICS,
    ROLE_RESPONDER,
    RUNNING_QUERIES,
    SHARDED,
)

_LEDGER = "kafka_topic, kafka_partition, kafka_offset"
_DBT_OWNS = ("staging", "intermediate", "marts", "live", "ops")

# Ingest may add rows and read the offsets it added (its high-water mark), take partitions over, and see
# which of its own inserts still run; nothing else.
GRANTS: dict[str, tuple[str, ...]] = {
    ROLE_INGEST: (
        "INSERT ON raw.events",
        "INSERT ON raw.dead_letters",
        f"SELECT({_LEDGER}) ON raw.events",
        f"SELECT({_LEDGER}) ON raw.dead_letters",
        "SELECT, INSERT ON raw.ingest_epochs",
        f"SELECT ON {RUNNING_QUERIES}",
        "SELECT, INSERT ON raw.rewinds",
        f"SELECT ON {ARCHIVED_OFFSETS}",
    ),
    ROLE_DBT: (
        "SELECT ON raw.*",
        # Dagster takes archived days out of raw when RETENTION_DAYS says so, and a restore puts them back.
        "INSERT, ALTER DELETE ON raw.events",
        "INSERT, ALTER DELETE ON raw.dead_letters",
        *(f"SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, SHOW ON {database}.*" for database in _DBT_OWNS),
        "SELECT ON system.*",
        "CREATE TEMPORARY TABLE ON *.*",
        "TABLE ENGINE ON *",
    ),
    # Whoever mends dead letters reads what clients sent, so the workers' role cannot do it; it never changes raw.
    ROLE_LETTERS: (
        "SELECT ON raw.dead_letters",
        f"SELECT({_LEDGER}) ON raw.events",
        "SELECT, INSERT ON ops.dead_letter_actions",
    ),
    # The dashboard's role may write nothing at all, so whoever acknowledges from there does it as this one.
    ROLE_RESPONDER: (f"SELECT ON {INCIDENTS}", f"SELECT, INSERT ON {INCIDENT_ACTIONS}"),
    # Marts are views, which are read with the rights of whoever asks: hence also what they are made of.
    ROLE_DASHBOARD: (
        *(f"SELECT ON {database}.*" for database in ("marts", "live", "intermediate")),
        "SELECT ON raw.events",
        f"SELECT({_LEDGER}, error_class, ingested_at) ON raw.dead_letters",
        "SELECT ON ops.experiment_results",
        "SELECT ON ops.model_watermarks",
        f"SELECT ON {INCIDENTS}",
        f"SELECT ON {INCIDENT_ACTIONS}",
    ),
    # `millrace metrics` counts: it sees how far everything has come, and nothing that a client or an alert says.
    ROLE_METRICS: (
        f"SELECT({_LEDGER}, ingested_at, event_time) ON raw.events",
        f"SELECT({_LEDGER}, ingested_at) ON raw.dead_letters",
        f"SELECT ON {MODEL_WATERMARKS}",
        f"SELECT(fingerprint, severity, state, version, last_seen) ON {INCIDENTS}",
        f"SELECT(id, channel, state, reason, version, created_at) ON {ALERT_OUTBOX}",
        "SHOW TABLES ON *.*",
        "SELECT ON system.parts",
        "SELECT ON system.disks",
    ),
}

# What a role may take at most, in seconds and bytes a query and queries at a time: a curious search of raw.events
# must leave ingest its memory.
LIMITS: dict[str, dict[str, int]] = {
    ROLE_DASHBOARD: {
        "max_execution_time": 30,
        "max_memory_usage": 800_000_000,
        "max_bytes_to_read": 20_000_000_000,
        "max_concurrent_queries_for_user": 12,
    },
}


def grants(role: str, *, is_sharded: bool = False) -> tuple[str, ...]:
    """Return the rights of `role` as they stand after GRANT.

    With `is_sharded` also those on the shards' own tables: who reads or fills a Distributed table needs both.
    """
    rights = GRANTS[role]
    if not is_sharded:
        return rights
    return rights + tuple(f"{right}_local" for right in rights if right.rsplit(" ", 1)[-1] in SHARDED)


def grant_statements(role: str, *, is_sharded: bool = False) -> tuple[str, ...]:
    """Return the role's grants as SQL statements without the closing semicolon."""
    return tuple(f"GRANT {right} TO {role}" for right in grants(role, is_sharded=is_sharded))


def limit_statement(role: str) -> str | None:
    """Return the SQL that sets the role's limits, which its users cannot raise; None for a role without."""
    limits = ", ".join(f"{name} = {value} MAX {value}" for name, value in LIMITS.get(role, {}).items())
    return f"ALTER ROLE {role} SETTINGS {limits}" if limits else None
