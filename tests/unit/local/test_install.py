"""Set-up says what is missing and what to do instead, and trusts nothing without its checksum."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.settings import Settings
from local import install, stack


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing is installed and no program is on the PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KAFKA", raising=False)
    monkeypatch.setattr(install, "clickhouse_library", lambda: tmp_path / "lib-linux-x64-gnu" / "libchdb.so")
    monkeypatch.setattr(install, "kafka_jars", lambda: tmp_path / "libs")
    monkeypatch.setattr(install, "CLICKHOUSE_DIR", tmp_path / "clickhouse")
    monkeypatch.setattr(install, "KAFKA_DIR", tmp_path / "kafka")
    return tmp_path


def test_without_npm_set_up_stops_and_names_the_ways_round_it(
    bare_machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install.main() == 2
    said = capsys.readouterr().err
    assert "npm is missing" in said
    assert "docker compose up" in said
    assert "CLICKHOUSE_HOST" in said


def test_without_npm_a_server_of_ones_own_is_enough(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKHOUSE_HOST", "clickhouse.internal")
    assert install.main() == 0


def test_without_java_set_up_goes_on_with_the_built_in_broker_after_one_line(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKHOUSE_HOST", "clickhouse.internal")
    assert install.main() == 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "java is missing" in line
    assert "KAFKA=memory" in line


def test_the_stack_takes_the_built_in_broker_where_kafka_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "kafka_is_installed", lambda: False)
    settings, sentence = stack.choose_kafka(Settings(_env_file=None))
    assert settings.kafka == "memory"
    assert sentence
    elsewhere = Settings(_env_file=None, kafka_broker_url="broker-1:9092")
    assert stack.choose_kafka(elsewhere) == (elsewhere, None)


def test_a_jar_without_the_pinned_checksum_is_refused_and_removed(bare_machine: Path) -> None:
    jar = bare_machine / "libs" / "kafka.jar"
    jar.parent.mkdir()
    jar.write_bytes(b"not what was pinned")
    pinned = bare_machine / "checksums"
    pinned.write_text(f"{'0' * 64}  kafka.jar\n")
    with pytest.raises(install.InstallError, match=r"kafka\.jar does not have the pinned checksum"):
        install._check_jars(pinned)
    assert not jar.exists()
