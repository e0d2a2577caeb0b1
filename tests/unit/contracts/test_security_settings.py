"""Security settings that contradict each other are refused at start, by name and without their values."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import UserError
from contracts.settings import load_settings

SASL = {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "me", "KAFKA_SASL_PASSWORD": "hunter2"}


def given(monkeypatch: pytest.MonkeyPatch, folder: Path, values: dict[str, str]) -> None:
    (folder / "there.pem").write_text("a file")
    for name, value in values.items():
        monkeypatch.setenv(name, value.replace("THERE", str(folder / "there.pem")))


def without(name: str) -> dict[str, str]:
    return {other: value for other, value in SASL.items() if other != name}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"} | without("KAFKA_SASL_PASSWORD"), "needs KAFKA_SASL_PASSWORD"),
        (SASL, "KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        (SASL | {"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SECURITY_PROTOCOL is SSL; set SASL_SSL"),
        ({"KAFKA_SSL_CAFILE": "THERE"}, "KAFKA_SSL_CAFILE without effect"),
        (SASL | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SSL_CAFILE": "THERE"}, "set SASL_SSL"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": "THERE"}, "KAFKA_SSL_KEYFILE go together"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEYFILE": "THERE"}, "KAFKA_SSL_CERTFILE and"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_PASSWORD": "hunter2"}, "no KAFKA_SSL_KEYFILE"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "no-such.pem"}, "KAFKA_SSL_CAFILE: there is no file"),
        ({"CLICKHOUSE_CA_FILE": "THERE"}, "CLICKHOUSE_SECURE is false"),
        ({"CLICKHOUSE_SECURE": "true", "CLICKHOUSE_CA_FILE": "no-such.pem"}, "CLICKHOUSE_CA_FILE: there is no file"),
    ],
)
def test_a_contradiction_is_refused_by_name(
    values: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, tmp_path, values)
    with pytest.raises(UserError) as refused:
        load_settings()
    assert named in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CAFILE": "THERE"},
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTFILE": "THERE", "KAFKA_SSL_KEYFILE": "THERE"},
        SASL | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CAFILE": "THERE"},
        {"CLICKHOUSE_SECURE": "true", "CLICKHOUSE_CA_FILE": "THERE"},
    ],
)
def test_what_belongs_together_is_taken(
    values: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, tmp_path, values)
    load_settings()
