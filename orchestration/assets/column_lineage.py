"""Which column is made from which, read from the compiled SQL and kept for as long as the project stays the same.

dagster-dbt's own reading refuses every model in which it does not know a name, which are half of them: ClickHouse may
use an alias beside its definition, and lambdas have names. This one leaves such a name out. It takes seconds of
processor time for all models, so a run at the streaming cadence only reads what is known; the runs of the analyses, and
those that a person asks for, find out what is missing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from sqlglot import MappingSchema, exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import lineage

from contracts.names import MODEL_WATERMARKS
from orchestration.resources.dbt_project import manifest, project_version, target_dir

_KEY: Final = "dagster/column_lineage"
_DIALECT: Final = "clickhouse"
# Models read their version from it; dbt does not know it as a source.
_WATERMARKS: Final = dg.AssetKey(MODEL_WATERMARKS.split("."))
# sqlglot says in warnings what it cannot read of ClickHouse's SQL; a column without lineage says it as well.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

Columns = Mapping[dg.AssetKey, Mapping[str, str]]


class ColumnLineage:
    """The lineage of this project's models, in a file beside the manifest.

    Args:
        translator: gives the asset keys.

    """

    def __init__(self, translator: DagsterDbtTranslator) -> None:
        self._translator = translator
        self._known: dict[str, dict[str, list[tuple[list[str], str]]]] = self._read()

    def metadata(self, name: str) -> dict[str, Any]:
        """Return the metadata of a model's materialization: empty while the lineage is not known."""
        columns = self._known.get(name)
        if not columns:
            return {}
        deps = {
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(path), column_name=above) for path, above in found]
            for column, found in columns.items()
        }
        return {_KEY: dg.TableColumnLineage(deps_by_column=deps)}

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return those of the models whose lineage has not been looked for, and which dbt has compiled."""
        return [name for name in names if name not in self._known and self._compiled(name).exists()]

    def find(self, names: Iterable[str], columns: Columns, seconds: float) -> None:
        """Look for the lineage of models until `seconds` are over, given the columns of them and of what they read."""
        end = time.monotonic() + seconds
        for name in names:
            if time.monotonic() > end:
                break
            self._known[name] = self._reckon(name, columns)
        fresh = _path().with_suffix(".new")
        fresh.write_text(json.dumps({"made_by": project_version(), "models": self._known}))
        fresh.replace(_path())

    def _reckon(self, name: str, columns: Columns) -> dict[str, list[tuple[list[str], str]]]:
        node = manifest()["nodes"][name]
        sql, schema = self._compiled(name).read_text(), MappingSchema(dialect=_DIALECT)
        above = {(one["schema"], one["name"]): self._translator.get_asset_key(one) for one in _parents(node)}
        own = dg.AssetKey([node["schema"], node["name"]])
        for key in (own, _WATERMARKS, *map(dg.AssetKey, above)):
            if key in columns:
                schema.add_table(exp.table_(key.path[1], db=key.path[0]), dict(columns[key]), dialect=_DIALECT)
        found: dict[str, list[tuple[list[str], str]]] = {}
        for column in columns.get(own, {}):
            read = _columns_read(sql, column, schema)
            found[column] = [(list(above[place].path), name) for place, name in sorted(read) if place in above]
        return found

    def _compiled(self, name: str) -> Path:
        node = manifest()["nodes"][name]
        return target_dir() / "compiled" / str(node["package_name"]) / str(node["original_file_path"])

    @staticmethod
    def _read() -> dict[str, Any]:
        try:
            found = json.loads(_path().read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return found["models"] if found.get("made_by") == project_version() else {}


def _columns_read(sql: str, column: str, schema: MappingSchema) -> set[tuple[tuple[str, str], str]]:
    """Return the tables and their columns that a column of a query is made from; none where sqlglot cannot follow."""
    try:
        root = lineage(column, sql, schema=schema, dialect=_DIALECT, validate_qualify_columns=False)
    except (SqlglotError, ValueError):
        return set()
    leaves = ((node.source, node.name) for node in root.walk() if not node.downstream)
    return {
        ((table.db, table.name), exp.to_column(name).name) for table, name in leaves if isinstance(table, exp.Table)
    }


def keys_read(names: Iterable[str]) -> list[dg.AssetKey]:
    """Return the tables of models and of everything they read."""
    nodes = [manifest()["nodes"][name] for name in names]
    everything = [*nodes, *(above for node in nodes for above in _parents(node))]
    return list({_WATERMARKS: None} | {dg.AssetKey([one["schema"], one["name"]]): None for one in everything})


def _parents(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parsed = manifest()
    return [parsed["nodes"].get(name) or parsed["sources"][name] for name in node["depends_on"]["nodes"]]


def _path() -> Path:
    return target_dir() / "lineage.json"
