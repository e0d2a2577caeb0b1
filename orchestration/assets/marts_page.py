"""`docs/marts.md`, made from the descriptions in the dbt project: `python -m orchestration.assets.marts_page`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

_ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = _ROOT / "docs" / "marts.md"
_MODELS: Final = _ROOT / "dbt_project" / "models"
_HEAD: Final = """\
# Marts

Made from the descriptions in `dbt_project/models` by `make docs`; a test compares. Times are UTC. dbt holds each
table to these columns and types (contracts), and Dagster shows which column comes from which.
"""
# The schemas that people read, and what is in them.
SCHEMAS: Final[Mapping[str, str]] = {
    "marts": "What was: built from the events that landed, seconds behind them, and equal to a rebuild.",
    "live": "What happens now: the last hours, filled by each insert.",
}


def render(models: Path = _MODELS) -> str:
    """Return the page of the models in the folder `models`."""
    return "\n".join([_HEAD, *(text for schema in SCHEMAS for text in _schema(schema, models))])


def _schema(schema: str, models: Path) -> Iterator[str]:
    yield f"## {schema}\n\n{SCHEMAS[schema]}\n"
    described = [model for file in sorted((models / schema).glob("*.yml")) for model in _models(file)]
    for model in sorted(described, key=lambda each: str(each["name"])):
        yield _section(schema, model)


def _models(file: Path) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = (yaml.safe_load(file.read_text()) or {}).get("models", [])
    return models


def _section(schema: str, model: Mapping[str, Any]) -> str:
    rows = "\n".join(
        f"| `{column['name']}` | `{column.get('data_type', '')}` | {_line(column.get('description', ''))} |"
        for column in model["columns"]
    )
    return (
        f"### {schema}.{model['name']}\n\n{_line(model['description'])}\n\n"
        f"| column | type | what it is |\n|---|---|---|\n{rows}\n"
    )


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render())
