"""Kafka to `raw.events` and `raw.dead_letters`: every offset in exactly one of them, exactly once."""
