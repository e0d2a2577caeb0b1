"""Checks that are more than a dbt test; the statistics are pure functions in files of their own."""
