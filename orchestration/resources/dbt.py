"""dbt inside this process: with the manifest already parsed, a run spends its time in ClickHouse."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster_dbt import DbtCliResource

from contracts.errors import UserError
from contracts.settings import Settings, load_settings
from orchestration.resources import dbt_project

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


_TOLD: Final = {"info", "warn", "error"}


@dataclass(frozen=True)
class NodeResult:
    """What dbt did with one node.

    Args:
        unique_id: dbt's name of the node, such as `model.millrace.fct_item`.
        status: dbt's word: success, pass, warn, fail, error, skipped.
        message: dbt's explanation, one or more lines.
        seconds: time spent on it.
        failures: rows a test found; None for models.
        sql: the compiled SQL; empty when it was not compiled.
        invocation_id: dbt's id of the call.

    """

    unique_id: str
    status: str
    message: str
    seconds: float
    failures: int | None
    sql: str
    invocation_id: str = ""


@cache
def warm_manifest() -> Manifest:
    """Return dbt's own manifest object, parsed once in this process (0.3 s from dbt's cache, else seconds).

    Raises:
        UserError: the project does not parse.

    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - half a second and 100 MB: only where dbt runs

    dbt_project.export_settings(load_settings())
    dbt_project.prepared_manifest()
    with dbt_project.project_lock("parse"):
        answer = dbtRunner().invoke(["--quiet", "parse", *dbt_project.dbt_arguments(), "--no-write-json"])
    if not answer.success:
        raise UserError(f"the dbt project does not parse: {answer.exception}")
    parsed: Any = answer.result
    return parsed  # type: ignore[no-any-return] # dbt ships no type information


class InProcessDbt(dg.ConfigurableResource[None]):
    """Runs dbt commands in this process with the warm manifest.

    A model is written by one command at a time on this machine: dbt uses fixed names for temporary tables, so a run
    from the UI waits for the sensor's run to end. Commands that write different models go side by side.
    """

    def invoke(
        self,
        command: str,
        arguments: Sequence[str] = (),
        log: logging.Logger | None = None,
        *,
        alone: bool = False,
        writes: Collection[str] | None = None,
    ) -> list[NodeResult]:
        """Run `dbt command` and return what became of each node, in the order in which they ended; of hooks, failures.

        Args:
            command: dbt's.
            arguments: after it.
            log: gets what dbt would print, as one entry.
            alone: also tests wait until no run writes, and hold the next one up.
            writes: dbt's names of the models that it may write; None where nobody knows, then nothing runs beside it.

        Raises:
            dagster.Failure: dbt itself failed (not one of its nodes); the description is dbt's message.

        """
        from dbt.cli.main import dbtRunner  # noqa: PLC0415 - see warm_manifest

        said: list[str] = []
        manifest = warm_manifest()
        full = ["--quiet", command, *dbt_project.dbt_arguments(), "--no-write-json", *arguments]
        # Relations are asked for where they are needed; of all schemas it is four slow questions.
        full += ["--log-level-file", "none", "--no-populate-cache"]
        if command == "test":
            full += ["--threads", "1"]  # a minute's tests must not hold up the runs, which come every few seconds
        with locked("test" if command == "test" and not alone else "run", writes):
            answer = dbtRunner(manifest=manifest, callbacks=[_listener(said)]).invoke(full)
        _raise_interrupt(answer.exception)
        if answer.result is None or isinstance(answer.result, bool):
            raise dg.Failure(f"dbt {command} failed: {answer.exception or 'no result'}")
        results: Any = answer.result
        if log is not None and said:
            log.info("\n".join([f"dbt {command}:", *said]))
        told = [one for one in results.results if one.node.resource_type != "operation" or one.status != "success"]
        return [_node_result(one, str(results.args.get("invocation_id", ""))) for one in told]


@contextmanager
def locked(name: str, writes: Collection[str] | None) -> Iterator[None]:
    """Hold the lock `name`: alone, or with others while each holds the locks of the models it writes."""
    folder = dbt_project.target_dir()
    with ExitStack() as held:
        held.enter_context(dbt_project.project_lock(name, is_shared=writes is not None, folder=folder))
        # In one order for all: two that share models cannot wait for each other.
        for model in sorted(writes or ()):
            held.enter_context(dbt_project.project_lock(model, folder=folder))
        yield


def _listener(said: list[str]) -> Callable[[Any], None]:
    """Return what keeps dbt's messages that are meant for people."""

    def listen(message: Any) -> None:
        if message.info.level in _TOLD and message.info.msg.strip():
            said.append(message.info.msg)

    return listen


def _raise_interrupt(error: BaseException | None) -> None:
    """Raise again what dbt's runner swallows: a request to terminate the run."""
    if error is not None and not isinstance(error, Exception):
        raise error


def _node_result(result: Any, invocation_id: str) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        status=str(result.status),
        message=result.message or "",
        seconds=float(result.execution_time),
        failures=result.failures,
        sql=getattr(result.node, "compiled_code", None) or "",
        invocation_id=invocation_id,
    )


def preload() -> None:
    """Import dbt and its adapter, parse the project and compile its templates, without opening a connection."""
    from orchestration.resources.dbt_warm import warm_up  # noqa: PLC0415 - see warm_manifest

    os.environ.setdefault("DO_NOT_TRACK", "1")
    warm_up(warm_manifest())


def dbt_resource(settings: Settings) -> InProcessDbt | DbtCliResource:
    """Return what runs dbt: in this process, or as dagster-dbt does when ORCHESTRATION_DBT is `cli`."""
    if settings.orchestration_dbt == "in_process":
        return InProcessDbt()
    folder = str(dbt_project.project_dir())
    program = Path(sys.executable).with_name("dbt")
    return DbtCliResource(project_dir=folder, profiles_dir=folder, dbt_executable=str(program))
