"""Closed days of raw as Parquet: written, read back and compared, taken out of ClickHouse, and brought back."""
