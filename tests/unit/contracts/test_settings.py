"""Settings: a bad value is refused with its name and what is allowed, and secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import UserError
from contracts.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLICKHOUSE_PORT", "99999"),
        ("CLICKHOUSE_PORT", "http"),
        ("KAFKA_TOPIC", "no spaces please"),
        ("KAFKA_FLUSH_INTERVAL", "0"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("CLICKHOUSE_SECURE", "perhaps"),
        ("ALERT_SALES_RATIO", "1"),
        ("INGEST_METRICS_PORT", "99999"),
        ("INGEST_METRICS_PORT", "some"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_by_its_variables_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=name) as refused:
        load_settings()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("text", "port"), [("9464", 9464), ("0", 0), ("auto", "auto"), ("AUTO", "auto"), ("", "auto")])
def test_the_metrics_port_is_a_number_or_auto(monkeypatch: pytest.MonkeyPatch, text: str, port: object) -> None:
    monkeypatch.setenv("INGEST_METRICS_PORT", text)
    assert load_settings().ingest_metrics_port == port


def test_the_log_level_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    assert load_settings().log_level == "warning"


def test_a_refused_secret_is_not_repeated_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "hunter2-in-the-wrong-place")
    with pytest.raises(UserError) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_the_word_false_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_SECURE", "False")
    assert load_settings().clickhouse_secure is False


def test_secrets_do_not_show_in_the_settings_text() -> None:
    settings = Settings(_env_file=None, clickhouse_password="hunter2", slack_bot_token="xoxb-hunter2")
    assert "hunter2" not in repr(settings) + str(settings)


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKHOUSE_PORT", "")
    assert load_settings().clickhouse_port == 8123


def test_what_changes_in_the_environment_or_its_file_is_seen_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLICKHOUSE_HOST", raising=False)
    first = load_settings()
    assert load_settings() is first
    Path(".env").write_text("CLICKHOUSE_HOST=from-the-file\n")
    assert load_settings().clickhouse_host == "from-the-file"
    monkeypatch.setenv("CLICKHOUSE_HOST", "from-the-environment")
    assert load_settings().clickhouse_host == "from-the-environment"
    monkeypatch.delenv("CLICKHOUSE_HOST")
    Path(".env").unlink()
    assert load_settings() == first
