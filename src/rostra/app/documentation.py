"""The page at ``/__docs__/user``: what administrators wrote for the people of this server."""

from __future__ import annotations

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rostra.app.desk import Desk
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

    async def page(self, request: Request) -> Response:
        """Show it to whoever is signed in."""
        if await self._desk.principal(request) is None:
            return sign_in_needed(self._desk.site, request)
        async with transaction(self._desk.tools.reading) as session:
            row = await notices.get(session, notices.DOCUMENTATION)
        text = row.text if row else _NOTHING
        return HTMLResponse(_PAGE.format(title=html.escape(self._desk.site.name), body=rendered(text)), 200, _SAFETY)


def rendered(text: str) -> str:
    """Return Markdown as HTML; HTML in it is shown as text, and links with scripts lead nowhere."""
    import mistune  # only when somebody reads it

    return str(mistune.create_markdown(escape=True, plugins=["table", "strikethrough", "url"])(text))
