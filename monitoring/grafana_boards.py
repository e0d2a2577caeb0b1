"""`monitoring/grafana/boards/*.json`, made from the boards: `python -m monitoring.grafana_boards` writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from monitoring.boards import BOARDS, Board, Panel

FOLDER: Final = Path(__file__).resolve().parent / "grafana" / "boards"
# As monitoring/grafana/provisioning/datasources names them.
PROMETHEUS: Final = {"type": "prometheus", "uid": "millrace-prometheus"}
CLICKHOUSE: Final = {"type": "grafana-clickhouse-datasource", "uid": "millrace-clickhouse"}
_KIND: Final = {"number": "stat", "lines": "timeseries", "table": "table"}
# Width and height on Grafana's grid, which is 24 wide.
_SIZE: Final = {"number": (4, 4), "lines": (12, 8), "table": (12, 9)}
_GRID: Final = 24
_SCHEMA: Final = 41
# The plugin's own numbers for the form of an answer.
_AS_SERIES, _AS_TABLE = 0, 1
_FIRING: Final = Panel.model_validate(
    {
        "title": "Alerts that fire",
        "says": "What each one means and what to do is in docs/metrics.md.",
        "show": "table",
        "prometheus": [{"expr": 'max by (alertname, severity) (ALERTS{alertstate="firing"})'}],
    }
)


def render(name: str) -> str:
    """Return the board of this name as Grafana reads it."""
    return json.dumps(_board(name, BOARDS[name]), indent=2, ensure_ascii=False) + "\n"


def _board(name: str, board: Board) -> dict[str, Any]:
    return {
        "uid": f"millrace-{name}",
        "title": board.title,
        "description": board.says,
        "tags": ["millrace"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": f"now-{board.range}", "to": "now"},
        "panels": list(_placed((*board.panels, _FIRING))),
    }


def _placed(panels: tuple[Panel, ...]) -> Iterator[dict[str, Any]]:
    """Yield the panels, put into rows from left to right."""
    left = top = tallest = 0
    for number, panel in enumerate(panels, start=1):
        width, height = _SIZE[panel.show]
        if left + width > _GRID or (left and height != tallest):
            left, top = 0, top + tallest
        tallest = height
        yield {"id": number, **_panel(panel), "gridPos": {"x": left, "y": top, "w": width, "h": height}}
        left += width


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": _KIND[panel.show],
        "title": panel.title,
        "description": panel.says,
        "datasource": CLICKHOUSE if panel.sql else PROMETHEUS,
        "targets": [_sql(panel)] if panel.sql else list(_expressions(panel)),
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **({"transformations": [_LABELS_ONLY]} if panel.show == "table" and panel.prometheus else {}),
    }


# An instant query answers with the time and a value of 1 in front of the labels, which say all there is to say.
_LABELS_ONLY: Final = {"id": "organize", "options": {"excludeByName": {"Time": True, "Value": True}}}


def _sql(panel: Panel) -> dict[str, Any]:
    is_series = panel.show == "lines"
    return {
        "refId": "A",
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        "queryType": "timeseries" if is_series else "table",
        "format": _AS_SERIES if is_series else _AS_TABLE,
        "rawSql": panel.sql,
    }


def _expressions(panel: Panel) -> Iterator[dict[str, Any]]:
    for letter, query in zip("ABCDEFGH", panel.prometheus, strict=False):
        yield {
            "refId": letter,
            "datasource": PROMETHEUS,
            "expr": query.expr,
            "legendFormat": query.name or "__auto",
            **({"instant": True, "format": "table"} if panel.show == "table" else {"range": True}),
        }


def _defaults(panel: Panel) -> dict[str, Any]:
    if panel.show == "table":
        return {}
    steps: list[dict[str, Any]] = [{"color": "text" if panel.show == "number" else "green", "value": None}]
    if panel.amber is not None:
        steps.append({"color": "orange", "value": panel.amber})
    return {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}


def _options(panel: Panel) -> dict[str, Any]:
    if panel.show == "number":
        calculation = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": calculation, "colorMode": "value", "graphMode": "area"}
    if panel.show == "lines":
        return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {}


if __name__ == "__main__":
    for board_name in BOARDS:
        (FOLDER / f"{board_name}.json").write_text(render(board_name))
