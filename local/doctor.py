"""Test each connection and say how to mend what fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from contracts.clickhouse import connect
from contracts.errors import MillraceError, Permanent, UserError
from contracts.settings import Settings
from contracts.topics import matching, missing_topics
from local.install import kafka_is_installed
from local.paths import clickhouse_library
from orchestration.alerts.rules import is_configured, load_rules
from streaming.kafka.client import admin_config
from streaming.kafka.refusal import Complaints, reach
from streaming.kafka.topics import mapped_errors

_LOW_DISK_BYTES = 5_000_000_000
_OLDEST_JAVA = 17


@dataclass(frozen=True)
class Finding:
    """One examined thing: whether it works, what was seen, and what to do when it does not."""

    name: str
    works: bool
    seen: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Return a finding for each connection and version; never raises for a broken neighbour."""
    checks: tuple[Callable[[Settings], Finding], ...] = (_python, _java, _servers, _disk)
    neighbours: tuple[Callable[[Settings], Finding], ...] = (_kafka, _clickhouse, _slack, _alerts)
    return [check(settings) for check in (*checks, *neighbours)]


def _python(_: Settings) -> Finding:
    version = sys.version.split()[0]
    return Finding("Python", sys.version_info[:2] in {(3, 11), (3, 12)}, version, "use Python 3.11 or 3.12")


def _java(_: Settings) -> Finding:
    remedy = f"install Java {_OLDEST_JAVA} or newer, or set KAFKA=memory"
    if shutil.which("java") is None:
        return Finding("Java", False, "not found", remedy)
    text = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = text.split('"')[1] if '"' in text else "unknown"
    major = version.split(".")[0]
    return Finding("Java", major.isdigit() and int(major) >= _OLDEST_JAVA, version, remedy)


def _servers(_: Settings) -> Finding:
    missing = [
        name
        for name, there in (("ClickHouse", clickhouse_library().exists()), ("Kafka", kafka_is_installed()))
        if not there
    ]
    seen = f"missing: {', '.join(missing)}" if missing else "ClickHouse and Kafka installed"
    return Finding("Local servers", not missing, seen, "run `make setup`, or point at servers you have")


def _disk(settings: Settings) -> Finding:
    home = settings.millrace_home
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    remedy = f"free some space, or set MILLRACE_HOME to a folder with more than {_LOW_DISK_BYTES // 10**9} GB"
    return Finding("Disk", free > _LOW_DISK_BYTES, f"{free / 1e9:.0f} GB free in {home}", remedy)


def _kafka(settings: Settings) -> Finding:
    remedy = "start it (`millrace up --only kafka`), or set KAFKA_BROKER_URL and KAFKA_SECURITY_PROTOCOL"
    complaints = Complaints(settings)
    try:
        with mapped_errors("settings"):
            admin = AdminClient(admin_config(settings) | {"log_level": 0, "error_cb": complaints})
        known = reach(admin, complaints, 5, f"asking {settings.kafka_broker_url}").topics
    except Permanent as error:
        return Finding("Kafka", False, str(error), "correct the settings named above")
    except MillraceError as error:
        return Finding("Kafka", False, str(error), remedy)
    topics = [f"topic {name}: {len(known[name].partitions)} partitions" for name in matching(settings.topics, known)]
    topics += [f"topic {name}: not made yet" for name in missing_topics(settings.topics, known)]
    return Finding("Kafka", True, f"{settings.kafka_broker_url}, {', '.join(topics)}")


def _clickhouse(settings: Settings) -> Finding:
    remedy = "start it (`millrace up --only clickhouse`), or set CLICKHOUSE_HOST, CLICKHOUSE_PORT, CLICKHOUSE_USER"
    try:
        with connect(settings) as client:
            version, tables = client.query(
                "SELECT version(), (SELECT count() FROM system.tables WHERE database = 'raw')"
            ).result_rows[0]
    except MillraceError as error:
        return Finding("ClickHouse", False, str(error)[:200], remedy)
    seen = f"{settings.clickhouse_host}:{settings.clickhouse_port}, version {version}, {tables} raw tables"
    return Finding("ClickHouse", bool(tables), seen, "run `millrace migrate`")


def _slack(settings: Settings) -> Finding:
    if settings.slack_bot_token is None:
        return Finding("Slack", True, "no SLACK_BOT_TOKEN: alerts go to the log and to the local stand-in")
    address = settings.slack_api_url or WebClient.BASE_URL
    client = WebClient(token=settings.slack_bot_token.get_secret_value(), timeout=5, base_url=address)
    try:
        answer = client.auth_test()
    except (SlackApiError, OSError) as error:
        reason = error.response["error"] if isinstance(error, SlackApiError) else str(error)
        return Finding("Slack", False, str(reason), "check SLACK_BOT_TOKEN; the app needs the chat:write scope")
    return Finding("Slack", True, f"team {answer['team']}, channel {settings.slack_channel}")


def _alerts(settings: Settings) -> Finding:
    try:
        rules = load_rules(settings)
    except UserError as error:
        return Finding("Alerts", False, str(error), "correct that; docs/alerts.md explains each entry")
    ready = [name for name, rule in rules.channels.items() if is_configured(rule, settings)]
    return Finding("Alerts", True, f"channels set up: {', '.join(ready)}; `millrace alerts test` tries them")
