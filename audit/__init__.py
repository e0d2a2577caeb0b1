"""Proves the invariant of the raw tables: each offset up to the mark in exactly one of them, exactly once."""
