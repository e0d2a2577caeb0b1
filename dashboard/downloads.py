"""A panel's rows as a file, made by ClickHouse and passed on block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import StreamingResponse

from dashboard.database import Database
from dashboard.filters import Filters
from dashboard.panel import Page, Panel
from dashboard.questions import questions

FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "csv": ("CSVWithNames", "text/csv; charset=utf-8"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
}
MOST_ROWS: Final = 100_000


def find(pages: Mapping[str, Page], page: str, panel: str) -> Panel | None:
    """Return a page's panel by their names."""
    found = pages.get(page)
    return next((each for each in found.panels if each.name == panel), None) if found else None


def download(page: str, panel: Panel, form: str, filters: Filters, database: Database) -> StreamingResponse:
    """Return the file: the rows of the panel's question with these filters, at most MOST_ROWS.

    Raises:
        RetryLater, Permanent, NotThere, TooMuch: see `Database.stream`.
    """
    name, kind = FORMS[form]
    blocks = database.stream(questions()[panel.question], filters.parameters() | {"limit": MOST_ROWS}, name)
    file = f"millrace-{page}-{panel.name}-{filters.now:%Y%m%dT%H%M%SZ}.{form}"
    return StreamingResponse(blocks, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{file}"'})
