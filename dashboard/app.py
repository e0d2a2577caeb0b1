"""The web application: which address does what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from contracts.clock import Clock
from contracts.errors import MillraceError, RetryLater, UserError
from contracts.settings import Settings
from dashboard.database import Database
from dashboard.downloads import FORMS, download, find
from dashboard.filters import Filters, read_filters
from dashboard.headers import SecureHeaders
from dashboard.incidents import acknowledge
from dashboard.login import Login, read_users
from dashboard.look import Templates, look
from dashboard.pages import PAGES
from dashboard.panel import Page

_STATIC: Final = Path(__file__).parent / "static"
_MOST_FORM_BYTES: Final = 10_000
_BY_NAME: Final = {page.name: page for page in PAGES}


class Site:
    """Answers requests.

    Args:
        database: that is asked.
        clock: for the moment of each look.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._templates = Templates(PAGES)

    async def warm_up(self) -> None:
        """Look at each page as it opens without a choice, one after the other, so that no visitor is the first."""
        for page in PAGES:
            filters = read_filters({}, self._clock.now(), page.ranges, page.default_range)
            await look(page, filters, self._database, with_controls=True)

    async def home(self, request: Request) -> Response:
        """Lead to the first page."""
        return RedirectResponse(request.url.replace(path=f"/{PAGES[0].name}"))

    async def page(self, request: Request) -> Response:
        """Answer with a whole page."""
        page = self._page(request)
        found = await look(page, self._filters(request, page), self._database, with_controls=True)
        return HTMLResponse(self._templates.page(found), headers=_timing(found.took_seconds))

    async def data(self, request: Request) -> Response:
        """Answer with the panels of a page as they are now."""
        page = self._page(request)
        found = await look(page, self._filters(request, page), self._database, with_controls=False)
        return JSONResponse(self._templates.parts(found), headers=_timing(found.took_seconds))

    async def download(self, request: Request) -> Response:
        """Answer with the rows of a panel as a file."""
        name, form = request.path_params["page"], request.path_params["form"]
        panel = find(_BY_NAME, name, request.path_params["panel"])
        if panel is None or form not in FORMS:
            raise HTTPException(404)
        filters = self._filters(request, _BY_NAME[name])
        try:
            return await asyncio.to_thread(download, name, panel, form, filters, self._database)
        except MillraceError as error:
            words = (
                "ClickHouse cannot be reached or is busy; try again." if isinstance(error, RetryLater) else str(error)
            )
            return HTMLResponse(self._templates.failure("No file", words), status_code=503)

    async def acknowledge(self, request: Request) -> Response:
        """Take an acknowledgement from our own page, and lead back to it."""
        if not _is_from_here(request):
            raise HTTPException(403)
        body = await request.body()
        if len(body) > _MOST_FORM_BYTES:
            raise HTTPException(413)
        fingerprint = parse_qs(body.decode(errors="replace")).get("fingerprint", [""])[0]
        by = request.scope.get("user", "dashboard")
        try:
            await asyncio.to_thread(acknowledge, self._database.settings, fingerprint, by)
        except UserError as error:
            return HTMLResponse(self._templates.failure("Not acknowledged", str(error)), status_code=400)
        except RetryLater:
            words = "ClickHouse cannot be reached or is busy; go back and try again."
            return HTMLResponse(self._templates.failure("Not acknowledged", words), status_code=503)
        return RedirectResponse("/health", status_code=303)

    async def failure(self, _: Request, error: Exception) -> Response:
        """Answer with what went wrong, in the form of a page."""
        code = error.status_code if isinstance(error, HTTPException) else 500
        titles = {
            403: ("Not from here", "Only the dashboard's own pages may ask for that."),
            404: ("There is no such page", "The menu has those there are."),
        }
        title, words = titles.get(code, ("This did not work", "The reason is in the dashboard's log."))
        return HTMLResponse(self._templates.failure(title, words), status_code=code)

    def _page(self, request: Request) -> Page:
        page = _BY_NAME.get(request.path_params["page"])
        if page is None:
            raise HTTPException(404)
        return page

    def _filters(self, request: Request, page: Page) -> Filters:
        return read_filters(dict(request.query_params), self._clock.now(), page.ranges, page.default_range)


def make_app(settings: Settings, clock: Clock) -> Starlette:
    """Return the application for ClickHouse as `settings` has it; it connects when it is first asked.

    Raises:
        UserError: DASHBOARD_USERS cannot be read.
    """
    database = Database(settings, clock)
    site = Site(database, clock)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(site.warm_up())
        yield
        warming.cancel()
        database.close()

    middleware = [Middleware(SecureHeaders)]
    if settings.dashboard_users:
        users = read_users(settings.dashboard_users.get_secret_value())
        middleware.append(Middleware(Login, users=users, clock=clock))
    return Starlette(
        routes=[
            Route("/", site.home),
            Route("/alive", _alive),
            Mount("/static", StaticFiles(directory=_STATIC)),
            Route("/data/{page}", site.data),
            Route("/incidents/acknowledge", site.acknowledge, methods=["POST"]),
            Route("/download/{page}/{panel}.{form}", site.download),
            Route("/{page}", site.page),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: site.failure, Exception: site.failure},
        lifespan=lifespan,
    )


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _is_from_here(request: Request) -> bool:
    """Tell whether one of our own pages sent this: browsers say so, and a form of another site cannot say it is us."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def _timing(seconds: float) -> dict[str, str]:
    return {"Server-Timing": f"look;dur={seconds * 1000:.1f}"}
