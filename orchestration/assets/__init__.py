"""The hops as assets: the Kafka topic, the raw tables, and every dbt model."""
