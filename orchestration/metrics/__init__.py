"""The platform's metrics for Prometheus: what Kafka, ClickHouse and Dagster say when they are asked."""
