"""dbt in this process against a test's own server, with folders of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from contracts.settings import Settings

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"


@contextmanager
def environment(settings: Settings, folder: Path) -> Iterator[None]:
    """Point dbt at `settings`' server and below `folder`."""
    variables = {
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_USER": settings.clickhouse_user,
        "CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "CLICKHOUSE_CLUSTER": settings.clickhouse_cluster,
        "CLICKHOUSE_REPLICATED": str(settings.clickhouse_replicated),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "log"),
    }
    with patch.dict(os.environ, variables):
        yield


def parsed(settings: Settings) -> Manifest:
    """Return the project as dbt parsed it once in this process; call it in an `environment`."""
    return _parse(settings.clickhouse_cluster, replicated=settings.clickhouse_replicated)[0]


@cache
def _parse(cluster: str, *, replicated: bool) -> tuple[Manifest, bytes]:
    del cluster, replicated  # what the project's text asks of the environment; the server is the run's own affair
    answer = dbtRunner().invoke(["--quiet", "--no-write-json", "parse", *_folders()])
    assert answer.success, answer.exception
    return answer.result, _saved(Path(os.environ["DBT_TARGET_PATH"])).read_bytes()


def _saved(target: Path) -> Path:
    return target / "partial_parse.msgpack"


def process(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
    """Start `dbt run` as a user does, over a project that dbt has parsed before."""
    with environment(settings, folder):
        saved = _saved(folder / "target")
        if not saved.exists():
            _, cache = _parse(settings.clickhouse_cluster, replicated=settings.clickhouse_replicated)
            saved.parent.mkdir(parents=True, exist_ok=True)
            saved.write_bytes(cache)
        command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "run", *_folders()]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def dbt(settings: Settings, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run `dbt ARGUMENTS`; return the status of each model, test and failed hook by name.

    Raises:
        AssertionError: dbt itself failed.
    """
    with environment(settings, folder):
        manifest = parsed(settings)
        done = dbtRunner(manifest=manifest).invoke(["--quiet", "--no-write-json", *arguments, *_folders()])
    assert done.exception is None, done.exception
    results = [one for one in done.result.results if one.node.resource_type != "operation" or one.status != "success"]
    return {result.node.name: str(result.status) for result in results}


def run_operation(settings: Settings, folder: Path, macro: str, arguments: str = "{}") -> None:
    """Run `dbt run-operation MACRO --args ARGUMENTS`.

    Raises:
        AssertionError: it failed.
    """
    with environment(settings, folder):
        manifest = parsed(settings)
        command = ["--quiet", "--no-write-json", "run-operation", macro, "--args", arguments, *_folders()]
        done = dbtRunner(manifest=manifest).invoke(command)
    assert done.success, done.exception


def _folders() -> list[str]:
    return ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
