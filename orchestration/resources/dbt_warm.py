"""What a warm process does once, so that no run of dbt has to: templates compiled, debug messages left out.

dbt compiles the Jinja of each macro when it is first called and keeps it for the life of the process; a forked run
would begin with none. It builds a message for each of 400 debug events a run, for logs that nobody keeps here. And
each of its connections asks the server who it is. And what is worked on first, dbt decides by name.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

from clickhouse_connect.driver.client import Client
from dbt.graph.queue import GraphQueue
from dbt.plugins.manager import PluginManager
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients.agate_helper import table_from_data_flat
from dbt_common.clients.jinja import template_cache
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager

from orchestration.resources.dbt_project import project_version

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# dbt calls these by name or picks them by adapter, so no node says that it depends on them.
_ALWAYS: Final = ("materialization_", "run_hooks", "get_create_", "create_schema", "list_", "statement", "generate_")
# dbt imports these when a run begins.
_LATE: Final = ("dbt.task.run", "dbt.adapters.clickhouse.httpclient", "sqlparse", "babel.dates")
# A run makes much that lives to its end; collecting at Python's default of 700 looks through it again and again.
_COLLECT_AT: Final = 50_000


class WithoutDebug(EventManager):
    """dbt's own events but for those of level debug."""

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """Hand an event on to dbt's loggers and to whoever listens."""
        if (level or e.level_tag()) is not EventLevel.DEBUG:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def warm_up(manifest: Manifest) -> None:
    """Prepare this process for runs of dbt with `manifest`; opens nothing."""
    ctx_set_event_manager(WithoutDebug())
    greet_once()
    # Each run would look through all folders of modules for plug-ins.
    PluginManager.get_prefixed_modules = staticmethod(cache(PluginManager.get_prefixed_modules))  # type: ignore[method-assign]
    PluginManager.get_prefixed_modules()
    # For a message that nobody reads, each flag of an adapter looks through the stack and all modules: 0.2 s a run.
    BehaviorFlagRendered._default_source = staticmethod(lambda: "")  # type: ignore[method-assign] # noqa: SLF001
    GraphQueue._get_scores = longest_way_first  # type: ignore[method-assign, assignment] # noqa: SLF001
    for module in _LATE:
        importlib.import_module(module)
    # A first table of results loads a language's words for dates, a first model the names of all time zones.
    table_from_data_flat([{"warm": 1}], ["warm"])
    tuple(importlib.import_module("pytz").all_timezones)
    for name in sorted(set(_called(manifest))):
        template_cache.get_node_template(manifest.macros[name])
    project_version()
    gc.set_threshold(_COLLECT_AT)


def longest_way_first(_queue: GraphQueue, graph: Any) -> dict[str, int]:
    """Return the turn of each of dbt's nodes among those that are ready, least first: the longest chain goes on first.

    dbt's own order is by depth, then by name: the chain that a run waits for stood behind what nothing follows.
    """
    to_the_end: dict[str, int] = {}
    waited_for_by = {node: list(graph.successors(node)) for node in graph}
    for node in TopologicalSorter(waited_for_by).static_order():  # those first that nobody waits for
        to_the_end[node] = 1 + max((to_the_end[after] for after in waited_for_by[node]), default=0)
    return {node: -length for node, length in to_the_end.items()}


def greet_once() -> None:
    """Let a process ask a server for its version and 1,400 settings once, not for each of a run's seven connections."""
    known: dict[tuple[Any, ...], Any] = {}
    ask, learn = Client._init_common_settings, Client._apply_init_result  # noqa: SLF001

    def place(client: Any) -> tuple[Any, ...]:
        return client.url, client.headers.get("Authorization"), frozenset(client._initial_settings or ())  # noqa: SLF001

    def learn_and_keep(client: Any, answer: Any) -> None:
        known[place(client)] = answer
        learn(client, answer)

    def greet(client: Any, time_zone: Any) -> None:
        if place(client) in known:
            learn(client, known[place(client)])
        else:
            ask(client, time_zone)

    Client._apply_init_result = learn_and_keep  # type: ignore[method-assign, assignment] # noqa: SLF001
    Client._init_common_settings = greet  # type: ignore[method-assign, assignment] # noqa: SLF001


def _called(manifest: Manifest) -> Iterator[str]:
    """Yield the macros that the models call, directly or not, and what dbt itself calls to build them."""
    waiting = [name for node in manifest.nodes.values() for name in node.depends_on.macros]
    waiting += [name for name, macro in manifest.macros.items() if macro.name.startswith(_ALWAYS)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in manifest.macros:
            continue
        seen.add(name)
        yield name
        macro = manifest.macros[name]
        waiting += macro.depends_on.macros
        # `adapter.dispatch` finds these by the adapter's prefix.
        waiting += [f"macro.{package}.{prefix}__{macro.name}" for package in _PACKAGES for prefix in _PREFIXES]


_PACKAGES: Final = ("dbt", "dbt_clickhouse", "millrace")
_PREFIXES: Final = ("clickhouse", "default")
