"""A server as if nothing had happened on it."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client


def empty_raw(client: Client) -> None:
    """Empty the raw tables of one server, and the live ones that their inserts fill."""
    filled = "SELECT concat('live.', name) FROM system.tables WHERE database = 'live' AND engine LIKE '%Tree'"
    live = [str(name) for (name,) in client.query(filled).result_rows]
    for table in ("raw.events", "raw.dead_letters", "raw.rewinds", "ops.archived_days", *live):
        client.command(f"TRUNCATE TABLE {table}")


def drop_models(client: Client) -> None:
    """Drop what dbt made, how far it had come, and what was reckoned from it."""
    for database in ("staging", "intermediate", "marts"):
        client.command(f"DROP DATABASE IF EXISTS {database} SYNC")
        client.command(f"CREATE DATABASE {database}")
    for table in ("ops.model_watermarks", "ops.landed_keys", "ops.experiment_results"):
        client.command(f"TRUNCATE TABLE {table}")
