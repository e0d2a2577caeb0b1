"""Grafana's boards, written down as what they show: a file a board, in the order of its panels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

_FOLDER: Final = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(_Strict):
    """A question to Prometheus: the expression, and how its series are called (`{{label}}` stands for a label)."""

    expr: str
    name: str = ""


class Panel(_Strict):
    """One panel: a number, lines over time or a table, of Prometheus or of ClickHouse.

    Args:
        title, says: what it is, and what there is to know about it.
        show: its form.
        unit: Grafana's id of the unit.
        amber: from which value on a number is shown in amber.
        prometheus: what is asked of Prometheus.
        sql: or of ClickHouse, with the macros of its Grafana plugin ($__timeFilter, …).
    """

    title: str
    says: str = ""
    show: Literal["number", "lines", "table"]
    unit: str = "none"
    amber: float | None = None
    prometheus: tuple[Query, ...] = ()
    sql: str = ""

    @model_validator(mode="after")
    def _asks_one_of_them(self) -> Panel:
        if bool(self.prometheus) == bool(self.sql):
            raise ValueError(f"{self.title}: a panel asks Prometheus or ClickHouse")
        return self


class Board(_Strict):
    """One board.

    Args:
        title, says: what it is about.
        range: the stretch it begins with, as Grafana writes it.
        panels: in the order in which they are read.
    """

    title: str
    says: str
    range: Annotated[str, Field(pattern=r"^\d+[mhd]$")] = "3h"
    panels: tuple[Panel, ...]


def _read(path: Path) -> Board:
    found: Any = yaml.safe_load(path.read_text())
    return Board.model_validate(found)


BOARDS: Final = {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.yml"))}
