"""The Kafka side: what produces events, how Kafka is reached, and what brings events into ClickHouse."""
