"""A few words beside a document that is shown while the next rendering of it is being made.

The author's page is sent as it is, with one element behind its end. The element keeps to itself: its style is in a
shadow root and cannot reach the page, nor the page's style it; it has no script, no address, and nothing about whoever
looks. It is left out wherever it could be in the way: for programs, in frames, in print, and in files that do not end
as pages do.
"""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rostra.app.requests import navigates

REFRESHING = "A newer version of this page is being made. Reload it in a moment to see it."
_PIECE = 65_536
_TAIL = 512  # bytes at the end of a file that are looked at
_ENDS = (b"</html>", b"</body>")

# !important in the style attribute: no style sheet of the page can hide it, or make it cover the page.
_ELEMENT = (
    '<div role="status" style="all:initial!important;position:fixed!important;right:16px!important;'
    'bottom:16px!important;z-index:2147483647!important;max-width:calc(100vw - 32px)!important">'
    '<template shadowrootmode="closed"><style>'
    "aside{font:14px/1.45 system-ui,sans-serif;color:#1c2426;background:#fff;border:1px solid #d5d3cc;"
    "border-radius:8px;box-shadow:0 4px 16px rgb(0 0 0/18%);padding:8px 10px 8px 14px;display:flex;"
    "gap:10px;align-items:center}"
    "aside:has(:checked){display:none}input{position:absolute;opacity:0}"
    "label{cursor:pointer;padding:2px 7px;border-radius:5px}"
    "label:hover{background:#eee}label:focus-within{outline:2px solid #1f5f6b}"
    "@media(prefers-color-scheme:dark){aside{color:#e8eae8;background:#1b2225;border-color:#2d373b}"
    "label:hover{background:#2d373b}}"
    "@media print{aside{display:none}}"
    '</style><aside><span>{words}</span><label title="Close"><input type="checkbox" aria-label="Close">&#215;</label>'
    "</aside></template></div>\n"
)


def for_a_person(request: Request) -> bool:
    """Return whether somebody opens the page itself, not in a frame: nobody else is shown a notice."""
    where = request.headers.get("sec-fetch-dest")
    return request.method == "GET" and (where == "document" if where else navigates(request))


def element(words: str) -> bytes:
    return _ELEMENT.replace("{words}", html.escape(words)).encode("ascii", "xmlcharrefreplace")


def ends_as_a_page(end: bytes) -> bool:
    """Return whether these last bytes of a file are the end of an HTML page in an encoding that ASCII fits."""
    return end.rstrip().lower().endswith(_ENDS)


async def beside(path: Path, content_type: str, words: str) -> Response | None:
    """Return the page with the notice behind it; None when it must be sent as it is."""
    size = (await anyio.Path(path).stat()).st_size
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(max(0, size - _TAIL))
        if not ends_as_a_page(await file.read(_TAIL)):
            return None
    more = element(words)
    headers = {"Cache-Control": "no-store", "Content-Length": str(size + len(more))}
    return StreamingResponse(_with(path, size, more), headers=headers, media_type=content_type)


async def _with(path: Path, size: int, more: bytes) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while size > 0 and (piece := await file.read(min(_PIECE, size))):
            size -= len(piece)
            yield piece
    yield more
