"""The log as text and as JSON: one line each, and no secret in either."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from contracts.logs import JsonFormatter, TextFormatter, configure_logs, secret_values
from contracts.settings import Settings

SECRET = 'hunter2"\\'


@pytest.fixture(autouse=True)
def no_handlers(loggers: None) -> None:
    """Nobody but `configure_logs` decides where the log goes."""
    logging.getLogger().handlers[:] = []


def settings(**changes: object) -> Settings:
    return Settings(_env_file=None, **changes)


def fail(text: str) -> None:
    raise ValueError(text)


def one_line(captured: str) -> dict[str, Any]:
    (line,) = captured.splitlines()
    return dict(json.loads(line))


def test_a_json_line_has_time_level_logger_message_worker_and_extra_fields(capsys: pytest.CaptureFixture) -> None:
    configure_logs(settings(log_format="json"), "ingest-1")
    logging.getLogger("millrace.ingest").warning("lag %d\nnow", 5, extra={"lag": 5, "partitions": ["a", "b"]})
    line = one_line(capsys.readouterr().err)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "millrace.ingest",
        "message": "lag 5\nnow",
        "worker": "ingest-1",
        "lag": 5,
        "partitions": ["a", "b"],
    }


def test_a_traceback_is_a_field_of_the_same_line(capsys: pytest.CaptureFixture) -> None:
    configure_logs(settings(log_format="json"))
    try:
        fail("broken")
    except ValueError:
        logging.getLogger("millrace").exception("failed")
    line = one_line(capsys.readouterr().err)
    assert line["exception"].endswith("ValueError: broken")
    assert "worker" not in line


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_is_blotted_out_wherever_it_turns_up(form: str, capsys: pytest.CaptureFixture) -> None:
    configure_logs(settings(log_format=form, clickhouse_password=SECRET, kafka_sasl_password="other-secret"))
    try:
        fail(f"refused {SECRET}")
    except ValueError:
        logging.getLogger("millrace").exception("with %s", SECRET, extra={"deep": [{"key": "other-secret"}]})
    said = capsys.readouterr().err
    assert "hunter2" not in said
    assert "other-secret" not in said
    assert "***" in said


def test_short_and_empty_secrets_do_not_blot_ordinary_words() -> None:
    assert secret_values(settings(clickhouse_password="a")) == ()
    assert secret_values(settings(clickhouse_password="long", slack_bot_token="longer")) == ("longer", "long")


def test_the_level_counts_for_our_loggers_and_others_stay_at_info(capsys: pytest.CaptureFixture) -> None:
    configure_logs(settings(log_level="debug"))
    logging.getLogger("urllib3").debug("a request")
    logging.getLogger("millrace.ingest").debug("ours")
    configure_logs(settings(log_level="error"))
    logging.getLogger("millrace.ingest").warning("too light")
    assert [line.split(" ", 2)[2] for line in capsys.readouterr().err.splitlines()] == ["DEBUG ours"]


def test_what_is_not_json_is_shown_as_text() -> None:
    record = logging.makeLogRecord({"msg": "x", "where": Settings, "levelname": "INFO"})
    assert "Settings" in json.loads(JsonFormatter().format(record))["where"]
    assert TextFormatter().format(record).endswith("INFO x")
