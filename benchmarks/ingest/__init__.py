"""How fast events move from a real Kafka into a real ClickHouse, by this worker and by what people use instead."""
