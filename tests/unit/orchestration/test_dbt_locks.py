"""Which commands of dbt wait for which: files' locks, held by threads here as by processes elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.resources import dbt_project
from orchestration.resources.dbt import locked
from tests.patience import WAIT_SECONDS


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dbt_project, "target_dir", lambda: tmp_path)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def held(threads: ThreadPoolExecutor, writes: Collection[str] | None, until: threading.Event) -> Future[None]:
    """Hold the lock in a thread until the event; returns when it is held."""
    has_it = threading.Event()

    def hold() -> None:
        with locked("run", writes):
            has_it.set()
            assert until.wait(WAIT_SECONDS)

    future = threads.submit(hold)
    assert has_it.wait(WAIT_SECONDS)
    return future


def take(threads: ThreadPoolExecutor, writes: Collection[str] | None) -> Future[None]:
    def pass_through() -> None:
        with locked("run", writes):
            pass

    return threads.submit(pass_through)


def test_commands_that_write_different_models_go_side_by_side(threads: ThreadPoolExecutor) -> None:
    end = threading.Event()
    first = held(threads, ["model.a", "model.b"], end)
    take(threads, ["model.c"]).result(WAIT_SECONDS)
    end.set()
    first.result(WAIT_SECONDS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(["model.a", "model.b"], ["model.b", "model.c"], id="a model in common"),
        pytest.param(["model.a"], None, id="one that is alone"),
        pytest.param(None, ["model.a"], id="beside one that is alone"),
    ],
)
def test_others_wait(threads: ThreadPoolExecutor, one: list[str] | None, other: list[str] | None) -> None:
    end = threading.Event()
    first = held(threads, one, end)
    second = take(threads, other)
    with pytest.raises(TimeoutError):
        second.result(0.2)
    end.set()
    first.result(WAIT_SECONDS)
    second.result(WAIT_SECONDS)
