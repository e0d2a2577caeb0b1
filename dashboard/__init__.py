"""The web dashboard: pages drawn on the server from one question each, asked of ClickHouse read-only."""
