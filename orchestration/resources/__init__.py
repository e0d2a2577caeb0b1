"""Clients the assets and sensors are given: ClickHouse, and dbt in this process."""
