"""Dagster: lineage, runs at streaming cadence, checks and alerts; `definitions.py` only assembles."""
