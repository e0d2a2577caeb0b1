"""Each local worker gets a port of its own for its metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.settings import Settings
from local.stack import Stack


@pytest.mark.parametrize(
    ("asked", "given", "refused_when_busy"),
    [
        ("auto", ["auto", "auto"], [(), ()]),
        (9700, ["9700", "9701"], [(9700,), (9701,)]),
        (0, ["0", "0"], [(), ()]),
    ],
)
def test_a_fixed_port_is_counted_up_and_auto_is_left_to_the_workers(
    asked: object, given: list[str], refused_when_busy: list[tuple[int, ...]], tmp_path: Path
) -> None:
    settings = Settings(_env_file=None, millrace_home=tmp_path, ingest_metrics_port=asked)
    workers = Stack(settings, slack_port=8099, workers=2).ingest()
    assert [worker.environment["INGEST_METRICS_PORT"] for worker in workers] == given
    assert [worker.ports for worker in workers] == refused_when_busy
