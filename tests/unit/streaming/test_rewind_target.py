"""What a rewind is asked for is understood, or refused in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.main import run
from contracts.errors import UserError
from contracts.settings import Settings
from streaming.rewind.target import Target, moment_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-03-01T10:00:00Z", NOW - timedelta(hours=2)),
        ("2026-03-01T12:00:00+02:00", NOW - timedelta(hours=2)),
    ],
)
def test_a_moment_is_iso_or_how_long_ago(text: str, moment: datetime) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize("text", ["soon", "2w", "2026-03-01T10:00:00", "2026-13-01T10:00:00Z", "2027-01-01T00:00:00Z"])
def test_what_is_no_moment_in_the_past_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--to-time"):
        moment_of(text, NOW)


@pytest.mark.parametrize(
    ("target", "topics", "said"),
    [
        (Target(), "t", "either --to-time or --to-offset"),
        (Target(moment=NOW, offset=1, partition=0), "t", "either --to-time or --to-offset"),
        (Target(offset=1), "t", "--to-offset needs --partition"),
        (Target(offset=1, partition=0), "t,u", "--partition needs --topic"),
        (Target(offset=1, partition=0), "^t.*", "--partition needs --topic"),
        (Target(moment=NOW, topic="other"), "t,^u.*", "--topic other"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(target: Target, topics: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        target.check(Settings(_env_file=None, kafka_topic=topics))


def test_the_built_in_broker_is_not_asked_for_times() -> None:
    """It answers with the end of the partition, so nothing would be read."""
    with pytest.raises(UserError, match="use --to-offset"):
        Target(moment=NOW).check(Settings(_env_file=None, kafka="memory"))


@pytest.mark.parametrize(
    "arguments", [[], ["--to-time", "soon"], ["--to-offset", "4"], ["--to-offset", "-1", "--partition", "0"]]
)
def test_a_mistake_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rewind", *arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[0].startswith("millrace: ")) == (1, True)
