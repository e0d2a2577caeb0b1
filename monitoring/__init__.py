"""What Prometheus scrapes, reckons and alerts on, what Grafana shows, and the page about it."""
