"""What the marts cost: time of a run against the length of the history, size on disk, time of each question."""
