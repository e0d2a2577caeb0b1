"""The single-machine stack: a real ClickHouse and a real Kafka without Docker, and everything around them."""
