"""A panel's rows as a file, made by ClickHouse and passed on block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import StreamingResponse

from dashboard.database import Database
from dashboard.filters import MOST_ROWS, Filters
from dashboard.panel import Page, Panel
from dashboard.questions import Question, questions

FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "csv": ("CSVWithNames", "text/csv; charset=utf-8"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
}


def find(pages: Mapping[str, Page], page: str, panel: str) -> Panel | None:
    """Return a page's panel that can be had as a file, by their names."""
    found = pages.get(page)
    return next((each for each in found.panels if each.name == panel and each.has_download), None) if found else None


def download(page: str, panel: Panel, form: str, filters: Filters, database: Database) -> StreamingResponse:
    """Return the file: the rows of the panel's question with these filters, at most MOST_ROWS.

    Raises:
        RetryLater, Permanent, NotThere, TooMuch: see `Database.stream`.
        UserError: what was searched for cannot be understood.
    """
    name, kind = FORMS[form]
    question, values = _rows(panel, filters, database)
    blocks = database.stream(question, values, name)
    file = f"millrace-{page}-{panel.name}-{filters.now:%Y%m%dT%H%M%SZ}.{form}"
    return StreamingResponse(blocks, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{file}"'})


def _rows(panel: Panel, filters: Filters, database: Database) -> tuple[Question, Mapping[str, object]]:
    if panel.rows is not None:
        return panel.rows(filters, database.settings)
    return questions()[panel.question], filters.parameters() | {"limit": MOST_ROWS}
