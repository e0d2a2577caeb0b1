"""The hops before dbt as external assets: Millrace's workers write them, Dagster only shows them."""

from __future__ import annotations

import dagster as dg

from contracts.names import LIVE_TABLES, RAW_DEAD_LETTERS, RAW_EVENTS
from contracts.settings import Settings

PLATFORM_OWNERS = ("team:platform",)


def table_key(name: str) -> dg.AssetKey:
    """Return the asset key of a ClickHouse table written `database.table`."""
    return dg.AssetKey(name.split("."))


def topic_key(entry: str) -> dg.AssetKey:
    """Return the asset key of an entry of KAFKA_TOPIC: a topic, or a pattern."""
    return dg.AssetKey(["kafka", entry])


def raw_specs(settings: Settings) -> list[dg.AssetSpec]:
    """Return the Kafka topics (or patterns), raw and live tables, each depending on the hop before it."""
    topics = [
        dg.AssetSpec(
            key=topic_key(topic),
            description="Clickstream events as clients send them: JSON, keyed by user.",
            group_name="kafka",
            kinds={"kafka"},
            owners=list(PLATFORM_OWNERS),
        )
        for topic in settings.topics
    ]
    tables = {
        RAW_EVENTS: "Every event, once, with the Kafka position it came from. Written by the ingest workers.",
        RAW_DEAD_LETTERS: "What could not be an event: the original bytes and the reason.",
    }
    return [
        *topics,
        *(
            dg.AssetSpec(
                key=table_key(name),
                deps=[topic.key for topic in topics],
                description=description,
                group_name="raw",
                kinds={"clickhouse"},
                owners=list(PLATFORM_OWNERS),
                metadata={"dagster/table_name": name},
            )
            for name, description in tables.items()
        ),
        *(_live_spec(name, description) for name, description in LIVE_TABLES.items()),
    ]


def _live_spec(name: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=table_key(name),
        deps=[table_key(RAW_EVENTS)],
        description=f"{description} Filled by a view in ClickHouse with every insert into {RAW_EVENTS}.",
        group_name="live",
        kinds={"clickhouse"},
        owners=list(PLATFORM_OWNERS),
        metadata={"dagster/table_name": name},
    )
