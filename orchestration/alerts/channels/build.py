"""The channels that the rules name, ready to be spoken to."""

from __future__ import annotations

from contracts.settings import Settings
from orchestration.alerts.channels.channel import Channel
from orchestration.alerts.channels.email import EmailChannel
from orchestration.alerts.channels.log import LogChannel
from orchestration.alerts.channels.slack import SlackChannel
from orchestration.alerts.channels.webhook import WebhookChannel
from orchestration.alerts.rules import ChannelRule, Rules, is_configured


def build(rules: Rules, settings: Settings) -> dict[str, Channel]:
    """Return by name the channels that are set up."""
    return {name: _channel(rule, settings) for name, rule in rules.channels.items() if is_configured(rule, settings)}


def _channel(rule: ChannelRule, settings: Settings) -> Channel:
    if rule.kind == "email":
        return EmailChannel(settings, rule.to)
    if rule.kind == "webhook":
        return WebhookChannel(rule.url or settings.alert_webhook_url.get_secret_value())
    if rule.kind == "slack" and (settings.slack_bot_token or settings.slack_api_url):
        return SlackChannel(settings, rule.channel)
    return LogChannel()
