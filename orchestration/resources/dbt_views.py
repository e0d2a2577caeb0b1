"""Views that a run of dbt may leave out, because they are in ClickHouse as this very project makes them.

Each model costs dbt some 30 ms of processor time, also a view of which nothing changed, and half of a run's models are
views. A file beside the manifest says which project made which views, and the comment each of them then had
(macros/view.sql writes it). Whoever makes a view by hand makes it without that comment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from contracts.settings import load_settings
from orchestration.resources.dbt_project import manifest, project_version, target_dir

_COMMENTS: Final = """
SELECT database, name, comment FROM system.tables
WHERE engine = 'View' AND (database, name) IN {views:Array(Tuple(String, String))}
"""


def unchanged_views(client: Client, names: Iterable[str]) -> set[str]:
    """Return those of the dbt nodes `names` that are views which need not be made again."""
    wanted = [name for name in names if _node(name)["config"]["materialized"] == "view"]
    known = _read()
    if not wanted or known.get("made_by") != _maker():
        return set()
    found = _comments(client, wanted)
    return {name for name in wanted if found.get(name) and found[name] == known["views"].get(name)}


def remember_views(client: Client, names: Iterable[str]) -> None:
    """Write down that this project has just made those of the dbt nodes `names` that are views."""
    made = [name for name in names if _node(name)["config"]["materialized"] == "view"]
    if not made:
        return
    known = _read()
    views = dict(known["views"]) if known.get("made_by") == _maker() else {}
    text = json.dumps({"made_by": _maker(), "views": views | _comments(client, made)})
    fresh = _path().with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(_path())


def _comments(client: Client, names: Iterable[str]) -> dict[str, str]:
    by_place = {(_node(name)["schema"], _node(name)["name"]): name for name in names}
    rows = client.query(_COMMENTS, parameters={"views": list(by_place)}).result_rows
    return {by_place[database, name]: comment for database, name, comment in rows}


def _maker() -> str:
    """Return what tells one making from another: the project, and the server it went to."""
    settings = load_settings()
    server = f"{settings.clickhouse_host}:{settings.clickhouse_port} {settings.clickhouse_cluster}"
    return f"{project_version()} {server} {settings.clickhouse_replicated}"


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_path().read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _node(name: str) -> Mapping[str, Any]:
    node: Mapping[str, Any] = manifest()["nodes"][name]
    return node


def _path() -> Path:
    return target_dir() / "views.json"
