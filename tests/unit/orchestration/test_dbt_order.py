"""In which order a warm process begins models that are ready at the same time, in dbt's own queue."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import networkx as nx
import pytest
from dbt.graph.queue import GraphQueue

from orchestration.resources.dbt_warm import longest_way_first

READ_BY = {
    "events": ["a_list", "days"],
    "a_list": ["a_view"],
    "days": ["sessions"],
    "sessions": ["users"],
    "users": ["a_view"],
}


def order(read_by: Mapping[str, list[str]]) -> list[str]:
    """Return the models as dbt's queue hands them out to one thread."""
    manifest: Any = SimpleNamespace(expect=lambda name: SimpleNamespace(unique_id=name, resource_type="test"))
    queue = GraphQueue(nx.DiGraph(read_by), manifest, set())
    taken = []
    while not queue.empty():
        taken.append(queue.get().unique_id)
        queue.mark_done(taken[-1])
    return taken


def test_the_chain_that_a_run_waits_for_goes_on_before_what_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert order(READ_BY) == ["events", "a_list", "days", "sessions", "users", "a_view"]
    monkeypatch.setattr(GraphQueue, "_get_scores", longest_way_first)
    assert order(READ_BY) == ["events", "days", "sessions", "a_list", "users", "a_view"]
