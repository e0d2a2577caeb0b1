"""The dbt project on disk and its manifest, parsed without a server and only when something changed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contracts.errors import UserError
from contracts.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent.parent
_IGNORED = {"target", "logs", "dbt_packages", ".user.yml"}


def project_dir() -> Path:
    """Return the dbt project's folder; dbt's own variable DBT_PROJECT_DIR moves it."""
    return Path(os.environ.get("DBT_PROJECT_DIR") or ROOT / "dbt_project").resolve()


def target_dir() -> Path:
    """Return this stack's folder for dbt's artefacts, so that two stacks never share a manifest."""
    return load_settings().millrace_home.resolve() / "dbt"


def export_settings(settings: Settings) -> None:
    """Hand the settings to dbt's profile, which reads environment variables and knows no `.env`."""
    values = {
        "CLICKHOUSE_HOST": settings.clickhouse_host,
        "CLICKHOUSE_PORT": str(settings.clickhouse_port),
        "CLICKHOUSE_USER": settings.clickhouse_user,
        "CLICKHOUSE_PASSWORD": settings.clickhouse_password.get_secret_value(),
        "CLICKHOUSE_SECURE": str(settings.clickhouse_secure).lower(),
        "CLICKHOUSE_CLUSTER": settings.clickhouse_cluster,
        "CLICKHOUSE_REPLICATED": str(settings.clickhouse_replicated).lower(),
        "CLICKHOUSE_NICE": str(settings.clickhouse_nice),
    }
    for name, value in values.items():
        os.environ[name] = value


def dbt_arguments() -> list[str]:
    """Return the options every dbt call needs: where things are, and no chatter."""
    target = target_dir()
    return [
        *("--project-dir", str(project_dir()), "--profiles-dir", str(project_dir())),
        *("--target-path", str(target), "--log-path", str(target / "logs")),
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
    ]


@contextmanager
def project_lock(name: str, *, is_shared: bool = False, folder: Path | None = None) -> Iterator[None]:
    """Hold the lock `name` of this stack's dbt folder (`folder`, when it is known), alone or with others."""
    folder = folder or target_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)
        yield


def fingerprint() -> str:
    """Return a digest of what the manifest depends on: the project's files and dbt's version."""
    digest = hashlib.sha256(f"{version('dbt-core')} {version('dbt-clickhouse')} {project_dir()}".encode())
    for path in sorted(project_dir().rglob("*")):
        relative = path.relative_to(project_dir())
        if path.is_file() and not _IGNORED.intersection(relative.parts):
            digest.update(f"{relative}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def project_version() -> str:
    """Return `fingerprint` as it was when this process asked first: a process runs one version of the project."""
    return fingerprint()


def prepared_manifest() -> Path:
    """Return the manifest's path, after parsing the project if it changed since the last time.

    The parse runs in a process of its own: the code server then never holds dbt's memory (about 150 MB).

    Raises:
        UserError: the project does not parse; the message is dbt's.

    """
    with project_lock("parse"):
        stamp, manifest = target_dir() / "fingerprint", target_dir() / "manifest.json"
        wanted = fingerprint()
        if not (manifest.exists() and stamp.exists() and stamp.read_text() == wanted):
            stamp.unlink(missing_ok=True)
            _parse()
            stamp.write_text(wanted)
    return manifest


def _parse() -> None:
    export_settings(load_settings())
    command = "from dbt.cli.main import cli; cli()"
    answer = subprocess.run(
        [sys.executable, "-c", command, "--quiet", "parse", *dbt_arguments()],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if answer.returncode:
        raise UserError(f"the dbt project does not parse:\n{(answer.stdout + answer.stderr).strip()[-4000:]}")


@cache
def manifest() -> dict[str, Any]:
    """Return the parsed project as plain data, read once a process."""
    loaded: dict[str, Any] = json.loads(prepared_manifest().read_text())
    return loaded
