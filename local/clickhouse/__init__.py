"""A ClickHouse server from the npm package of libchdb: its own HTTP and native ports, users and query log."""
