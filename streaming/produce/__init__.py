"""Produce: events into Kafka, from a simulated shop or from a real log, with a record of what was sent."""
