"""The one boundary to Kafka: how clients are configured, and how topics come to exist."""
