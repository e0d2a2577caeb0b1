"""Read Kafka again from an earlier place and write only what is in neither raw table."""
