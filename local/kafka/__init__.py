"""An Apache Kafka broker (KRaft, one node) from Maven Central's jars, and librdkafka's built-in one."""
