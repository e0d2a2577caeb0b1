"""One text of a migration for one server and for a cluster.

On a cluster a table of `SHARDED` is `x.t_local` on each shard, and `x.t` is a Distributed table over them. A Kafka
partition's rows are all on one shard, so a batch is one part there as on one server (docs/adr/0009). Every other
table is the same on every server: replicated to all, or, without Keeper, on the server that the processes name.
"""

from __future__ import annotations

import re
from typing import Final

from contracts.names import SHARDED
from contracts.settings import Settings

_CREATES: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+\.\w+)_local\b")
_SHARD_PATH: Final = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"
_COMMON_PATH: Final = "'/clickhouse/tables/common/{database}/{table}', '{shard}_{replica}'"


def render(statement: str, settings: Settings) -> tuple[str, ...]:
    """Return the statements that `statement` stands for on the servers of `settings`."""
    if not settings.clickhouse_cluster:
        return (_named(statement, settings, _COMMON_PATH),)
    local = statement
    for table in SHARDED:
        local = re.sub(rf"(?<![\w.]){re.escape(table)}(?!\w)", f"{table}_local", local)
    created = _CREATES.search(local)
    rendered = _named(local, settings, _SHARD_PATH if created else _COMMON_PATH)
    return (rendered, _distributed(created.group(1), settings)) if created else (rendered,)


def on_cluster(settings: Settings) -> str:
    """Return the clause that sends DDL to every server; empty where Keeper, which it needs, is not there."""
    is_replicated = settings.clickhouse_cluster and settings.clickhouse_replicated
    return f"ON CLUSTER '{settings.clickhouse_cluster}'" if is_replicated else ""


def _distributed(table: str, settings: Settings) -> str:
    database, name = table.split(".")
    # Nobody inserts into a live table but the views of its shard.
    sharding_key = ", kafka_partition" if database == "raw" else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {table} {on_cluster(settings)} AS {table}_local "
        f"ENGINE = Distributed('{settings.clickhouse_cluster}', '{database}', '{name}_local'{sharding_key})"
    )


def _named(statement: str, settings: Settings, path: str) -> str:
    is_replicated = settings.clickhouse_cluster and settings.clickhouse_replicated
    prefix, path = ("Replicated", path) if is_replicated else ("", "")
    offset, version = (f"{path}, {column}" if path else column for column in ("kafka_offset", "version"))
    names = {
        "on_cluster": on_cluster(settings),
        "processes": "system.processes"
        if not settings.clickhouse_cluster
        else f"clusterAllReplicas('{settings.clickhouse_cluster}', system.processes)",
        "merge_tree": f"{prefix}MergeTree({path})",
        "replacing": f"{prefix}ReplacingMergeTree({path})",
        "aggregating": f"{prefix}AggregatingMergeTree({path})",
        "replacing_by_kafka_offset": f"{prefix}ReplacingMergeTree({offset})",
        "replacing_by_version": f"{prefix}ReplacingMergeTree({version})",
    }
    for name, value in names.items():
        statement = statement.replace("{" + name + "}", value)
    return statement
