"""The pages below ``/__docs__/``, where clients send people: what there is, the settings, and what is particular here.

The description of the API is a page of the API's own, `rostra.api.openapi`.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from rostra.api import openapi
from rostra.app.desk import Desk
from rostra.config import reference
from rostra.content import notices
from rostra.db.engine import transaction
from rostra.web.pages import sign_in_needed

# The text comes from people: nothing of it may run, and nothing is loaded from elsewhere.
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_NOTHING = "Nobody has written documentation for this server yet. Its API is described [here](api)."
_CONTENTS = """\
# Documentation

- [The HTTP API](api): every request, and what is answered.
- [Settings](admin): for administrators; every setting, what it means and what it is by default.
- [About this server](user): what its administrators wrote for its people. You sign in to read it.
"""
_ADMIN = """\
[Documentation](.)

This page lists every setting of this version, not the values of this server: the command `rostra config show` prints
those. People, content and the state of the server are looked after in the [dashboard]({dashboard}); programs do it with
the [HTTP API](api).

{settings}"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem;
  color-scheme: light dark }}
code, pre {{ font-family: ui-monospace, monospace }}
pre {{ overflow-x: auto }}
table {{ border-collapse: collapse }} td, th {{ border: 1px solid; padding: .2rem .5rem; text-align: left }}
</style></head><body>{body}</body></html>
"""


class Documentation:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return the routes of all pages. One more slash at the end leads to the page itself."""
        return [
            Route("/__docs__", _to("__docs__/"), methods=["GET"]),
            Route("/__docs__/", self.contents, methods=["GET"]),
            Route("/__docs__/api", openapi.page, methods=["GET"]),
            Route("/__docs__/admin", self.admin, methods=["GET"]),
            Route("/__docs__/user", self.user, methods=["GET"]),
            *(Route(f"/__docs__/{name}/", _to(f"../{name}"), methods=["GET"]) for name in ("api", "admin", "user")),
        ]

    async def contents(self, request: Request) -> Response:  # noqa: ARG002
        return self._shown(_CONTENTS)

    async def admin(self, request: Request) -> Response:  # noqa: ARG002
        return HTMLResponse(_settings(self._desk.site.name, self._desk.site.page()), 200, _SAFETY)

    async def user(self, request: Request) -> Response:
        """Show what administrators wrote to whoever is signed in."""
        if await self._desk.principal(request) is None:
            return sign_in_needed(self._desk.site, request)
        async with transaction(self._desk.tools.reading) as session:
            row = await notices.get(session, notices.DOCUMENTATION)
        return self._shown(row.text if row else _NOTHING)

    def _shown(self, text: str) -> Response:
        return HTMLResponse(_page(self._desk.site.name, text), 200, _SAFETY)


def _to(address: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that leads to an address beside its own; a proxy's prefix stays."""

    async def lead(request: Request) -> Response:  # noqa: ARG001
        return RedirectResponse(address)

    return lead


def _page(title: str, text: str) -> str:
    return _PAGE.format(title=html.escape(title), body=rendered(text))


@functools.lru_cache(maxsize=1)
def _settings(title: str, dashboard: str) -> str:
    settings = "\n".join(line for line in reference.page().splitlines() if not line.startswith("<!--"))
    return _page(title, _ADMIN.format(dashboard=dashboard, settings=settings))


def rendered(text: str) -> str:
    """Return Markdown as HTML; HTML in it is shown as text, and links with scripts lead nowhere."""
    import mistune  # only when somebody reads it

    return str(mistune.create_markdown(escape=True, plugins=["table", "strikethrough", "url"])(text))
