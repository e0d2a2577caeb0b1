"""Replay: other people's logs become events, by a mapping that says which column is what."""
