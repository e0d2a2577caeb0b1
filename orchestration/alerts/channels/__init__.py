"""Where messages go: Slack, email, webhooks, the log. Each is a `Channel`."""
