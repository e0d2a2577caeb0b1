"""ClickHouse DDL as numbered, idempotent migrations, and the roles that may touch what it creates."""
