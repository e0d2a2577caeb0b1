"""Every setting, read once from the environment (and `.env`) into one frozen object.

A bad value is refused at start with the variable's name and what is allowed. Secrets are
`SecretStr`: they never show in a log, an error, a metric or `millrace status`.
"""

from __future__ import annotations

import os
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import UserError
from contracts.security import security_mistakes
from contracts.topics import check_topics, is_pattern, topic_entries

Port = Annotated[int, Field(ge=1, le=65535)]
_FILE: Final = ".env"


def _port_word(value: object) -> object:
    """Refuse in one sentence what is neither a port nor a word for one; a union would say it twice."""
    text = str(value).strip().lower()
    if text != "auto" and not (text.isascii() and text.isdigit() and int(text) <= 65535):  # noqa: PLR2004 - the last port
        raise ValueError("allowed are a port (1 to 65535), 0 for none, or auto")
    return text


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


OpenPort = Annotated[int | Literal["auto"], BeforeValidator(_port_word)]


class Settings(BaseSettings):
    """The platform's settings; a field's environment variable is its name in capitals.

    Durations are seconds unless the name ends in `_ms`; sizes are rows or bytes as the name says.
    """

    model_config = SettingsConfigDict(
        env_file=_FILE, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    millrace_home: Path = Field(Path("var"), description="Folder for data, logs and reports of the local stack")

    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = Field(
        "text", description="json: the log of a worker as one object a line"
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="Least weight of what a worker logs"
    )

    kafka: Literal["real", "memory"] = Field(
        "real", description="memory: librdkafka's built-in broker in place of Apache Kafka (local stack only)"
    )
    kafka_broker_url: str = Field("localhost:9092", description="Bootstrap servers, host:port[,host:port]")
    kafka_topic: str = Field(
        "clickstream_topic", description="Events' topic; workers take a list a,b and patterns such as ^clicks-.*"
    )
    kafka_partitions: int = Field(8, ge=1, le=10_000, description="Partitions of a topic that is created here")
    kafka_group_id: str = Field("millrace-ingest", min_length=1, description="Consumer group of the workers")
    kafka_start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where a partition begins of which neither ClickHouse nor the group knows anything"
    )
    kafka_consumer_timeout_ms: int = Field(
        10_000, ge=100, description="Longest wait for an answer from the broker, in milliseconds"
    )
    kafka_flush_interval: float = Field(
        30.0, gt=0, le=3600, description="Oldest a batch may grow before it is written, in seconds"
    )
    kafka_batch_size: int = Field(50_000, ge=1, le=1_000_000, description="Rows per insert at most")
    kafka_session_timeout_ms: int = Field(
        10_000,
        ge=1_000,
        le=300_000,
        description="A worker that is silent for so long loses its partitions to the others, in milliseconds; "
        "brokers refuse less than 6000 by default",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to the broker"
    )
    kafka_ssl_cafile: Path | None = Field(None, description="CA certificate (PEM) of the broker")
    kafka_ssl_certfile: Path | None = Field(None, description="Client certificate (PEM)")
    kafka_ssl_keyfile: Path | None = Field(None, description="Client key (PEM)")
    kafka_ssl_key_password: SecretStr | None = Field(None, description="Pass phrase of the client key")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="SASL mechanism, with a SASL_ security protocol"
    )
    kafka_sasl_username: str | None = Field(None, description="SASL user")
    kafka_sasl_password: SecretStr | None = Field(None, description="SASL password")

    ingest_metrics_port: OpenPort = Field(
        "auto", description="Port of a worker's metrics and health; auto: 9464 or the first free one above; 0: none"
    )
    ingest_metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="Address it listens on; 0.0.0.0 for all, as a container needs"
    )

    metrics_port: Port = Field(9463, description="Port of millrace metrics")
    metrics_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address it listens on; 0.0.0.0 for all, as a container needs",
    )
    prometheus_port: Port = Field(9090, description="Port of the Prometheus that millrace metrics --prometheus starts")

    ingest_earliest: date = Field(
        date(2000, 1, 1), description="Events before this day (UTC) become dead letters; YYYY-MM-DD"
    )
    ingest_max_ahead_hours: float = Field(
        24.0, ge=0, le=8760, description="Events further in the future than this become dead letters, in hours"
    )
    ingest_max_event_bytes: int = Field(
        1_000_000, ge=1_000, le=1_000_000_000, description="Larger messages become dead letters, in bytes"
    )
    ingest_max_dead_letter_run: int = Field(
        10_000, ge=0, description="A worker stops after this many dead letters in a row in one partition; 0: never"
    )
    ingest_max_dead_letter_share: float = Field(
        0.5, ge=0, le=1, description="A worker stops when more than this share of 20,000 messages is dead; 0: never"
    )

    clickhouse_host: str = Field("localhost", description="ClickHouse server")
    clickhouse_port: Port = Field(8123, description="ClickHouse's HTTP(S) port")
    clickhouse_native_port: Port = Field(9000, description="Native port of the local stack's ClickHouse")
    clickhouse_user: str = Field("default", description="ClickHouse user")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="ClickHouse password")
    clickhouse_secure: bool = Field(False, description="true: HTTPS to ClickHouse")
    clickhouse_ca_file: Path | None = Field(None, description="CA certificate (PEM) of ClickHouse, when it is private")
    clickhouse_cluster: str = Field("", pattern=r"^[A-Za-z0-9_]*$", description="ClickHouse cluster; empty: one node")
    clickhouse_replicated: bool = Field(True, description="false: the cluster has no Keeper, hence no replicas")

    clickhouse_nice: int = Field(
        0, ge=0, le=19, description="How far this process's queries give way to others at the server, as nice has it"
    )

    archive_url: str = Field(
        "", description="Where closed days are archived: a folder or s3://bucket/prefix; empty: MILLRACE_HOME/archive"
    )
    archive_s3_endpoint: str = Field("", description="Address of an S3-compatible server; empty: Amazon's")
    archive_s3_region: str = Field("us-east-1", min_length=1, description="Region of the archive's bucket")
    archive_s3_access_key: str | None = Field(None, description="Access key of the archive's bucket")
    archive_s3_secret_key: SecretStr | None = Field(None, description="Secret key of the archive's bucket")
    retention_days: int = Field(
        0, ge=0, le=36_500, description="Archived days older than this leave ClickHouse; 0: keep for ever"
    )

    orchestration_dbt: Annotated[Literal["in_process", "cli"], BeforeValidator(_lower)] = Field(
        "in_process", description="cli: each run starts dbt anew, as dagster-dbt does; slower by seconds"
    )
    dagster_port: Port = Field(3000, description="Port of the local stack's Dagster UI")
    dagster_url: str = Field("", description="Address of Dagster as messages link to it; none: its port on localhost")
    dashboard_url: str = Field(
        "http://localhost:8050", min_length=1, description="Address of the dashboard, as messages link to it"
    )
    dashboard_port: Port = Field(8050, description="Port of the dashboard")
    dashboard_host: str = Field(
        "127.0.0.1", min_length=1, description="Address the dashboard listens on; 0.0.0.0 for all, as a container needs"
    )
    dashboard_users: SecretStr | None = Field(
        None,
        description="Who may see the dashboard, name:hash,name:hash; millrace dashboard --hash-password makes a hash; "
        "none: all who reach it",
    )
    dashboard_responder_user: str = Field(
        "",
        description="ClickHouse user (role millrace_responder) who acknowledges from the dashboard; "
        "empty: CLICKHOUSE_USER",
    )
    dashboard_responder_password: SecretStr = Field(SecretStr(""), description="The responder's password")
    slack_bot_token: SecretStr | None = Field(None, description="Slack bot token (xoxb-…); none: log and stand-in")
    slack_channel: str = Field("#millrace-alerts", min_length=1, description="Channel that receives alerts")
    slack_api_url: str = Field("", description="Slack API address, for tests and the local stand-in")

    alert_rules: Path | None = Field(
        None, description="File of who is told what, where and when; none: orchestration/alerts/rules.yml"
    )
    alert_webhook_url: SecretStr = Field(SecretStr(""), description="Address that webhook channels post JSON to")
    smtp_host: str = Field("", description="Mail server of email channels; empty: no email")
    smtp_port: Port = Field(587, description="Its port")
    smtp_security: Annotated[Literal["starttls", "tls", "none"], BeforeValidator(_lower)] = Field(
        "starttls", description="How the connection to the mail server is protected"
    )
    smtp_user: str = Field("", description="User of the mail server; empty: no login")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password of the mail server")
    smtp_from: str = Field("millrace@localhost", min_length=1, description="Sender of alert mails")
    smtp_to: str = Field("", description="Recipients of alert mails, a@x[,b@y]")

    alert_sales_rule: Annotated[Literal["significant", "plain"], BeforeValidator(_lower)] = Field(
        "significant", description="plain: any item at ALERT_SALES_RATIO times its average hour, without a test"
    )
    alert_sales_ratio: float = Field(
        1.5, gt=1, description="An item's hourly sales alert from this multiple of the expected sales on"
    )
    alert_sales_min: int = Field(20, ge=1, description="Volume floor: fewer sales than this in the hour never alert")
    alert_dead_letter_share: float = Field(
        0.01, gt=0, lt=1, description="More dead letters than this share of ten minutes' messages alert"
    )
    alert_repeat_share: float = Field(
        0.05, gt=0, lt=1, description="More events sent twice than this share of five minutes' events alert"
    )
    alert_silence_seconds: float = Field(
        600, gt=0, description="No new message in Kafka for so many seconds alerts; a quiet shop needs more"
    )
    alert_raw_delay_seconds: float = Field(
        60, gt=0, description="A message that has not landed after so many seconds alerts"
    )
    alert_marts_delay_seconds: float = Field(
        300, gt=0, description="A landed row that is in no mart after so many seconds alerts"
    )
    alert_drop_ratio: float = Field(
        0.5, gt=0, lt=1, description="A drop alerts from this part of the expected value down"
    )
    alert_rate_ratio: float = Field(
        1.5, gt=1, description="Conversion, revenue per view and funnel steps alert this many times off, up or down"
    )
    alert_shift_ratio: float = Field(
        2.0, gt=1, description="Fields, event volume and bots alert this many times off what is usual"
    )
    alert_false_share: float = Field(
        0.005, gt=0, le=0.5, description="Of the alerts about something remarkable, this share is false at most"
    )

    @property
    def smtp_recipients(self) -> tuple[str, ...]:
        """Addresses in SMTP_TO."""
        return tuple(one.strip() for one in self.smtp_to.split(",") if one.strip())

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics the workers read, and patterns of such: those that begin with ^."""
        return topic_entries(self.kafka_topic)

    @property
    def produced_topic(self) -> str:
        """The one topic that is written to or created.

        Raises:
            UserError: there are several, or a pattern.
        """
        if len(self.topics) != 1 or is_pattern(self.topics[0]):
            raise UserError(
                f"KAFKA_TOPIC={self.kafka_topic}: only workers read several topics or a pattern; name one topic here"
            )
        return self.topics[0]

    @field_validator("kafka_topic")
    @classmethod
    def _topics_are_named_as_kafka_allows(cls, text: str) -> str:
        check_topics(text)
        return text


def load_settings() -> Settings:
    """Read the environment and `.env`.

    Raises:
        UserError: a value is not allowed, or two contradict each other; the message names each variable.
    """
    settings = _parsed(frozenset(os.environ.items()), _version_of(Path(_FILE).absolute()))
    mistakes = security_mistakes(settings)
    if mistakes:
        raise UserError("; ".join(mistakes))
    return settings


@lru_cache(maxsize=8)
def _parsed(_environment: frozenset[tuple[str, str]], _file: tuple[Path, int, int]) -> Settings:
    """Return the settings of this environment and file: a run asks nine times, and parsing takes 10 ms each."""
    try:
        return Settings()
    except ValidationError as error:
        raise UserError(_explain(error)) from None


def _version_of(file: Path) -> tuple[Path, int, int]:
    """Return what changes when the file does; zeros where there is none."""
    try:
        found = file.stat()
    except OSError:
        return file, 0, 0
    return file, found.st_mtime_ns, found.st_size


def _explain(error: ValidationError) -> str:
    lines = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(detail["loc"][0])
        field = Settings.model_fields.get(name)
        meaning = f" ({field.description})" if field and field.description else ""
        lines.append(f"{name.upper()}: {detail['msg'].removeprefix('Value error, ')}{meaning}")
    return "; ".join(lines)
