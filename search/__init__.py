"""Search over raw events: which ones are meant, how ClickHouse finds them, and how people see them."""
