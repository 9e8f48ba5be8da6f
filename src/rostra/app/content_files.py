"""Files of static content and of documents: which one a path means, and how it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from rostra.content.places import Places
from rostra.content.tables import Bundle, Rendering
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.rendering import serving
from rostra.rendering.serving import Found, SlashMissing

__all__ = ["Found", "NoPrimary", "SlashMissing", "find", "send"]

HIDDEN = frozenset({"manifest.json"})


@dataclass(frozen=True, slots=True)
class NoPrimary:
    """A document without any rendering."""


def find(
    places: Places, guid: str, bundle: Bundle, rendering: Rendering | None, rest: str
) -> Found | SlashMissing | NoPrimary | None:
    """Return the file that ``rest``, the decoded path behind the item's own, means; None when there is none."""
    told = serving.wanted(rest)
    if not told.complete:
        return SlashMissing()
    if by_name(bundle.kind).mode is Mode.static:
        return _locate(places.app(guid, bundle.id), rest, _first_page(bundle))
    if rendering is None:
        return NoPrimary()
    return _locate(places.data_dir / rendering.path, told.rest, rendering.primary)


def _first_page(bundle: Bundle) -> str:
    metadata = bundle.manifest.get("metadata", {})
    return metadata.get("primary_html") or bundle.entrypoint or "index.html"


def _locate(root: Path, rest: str, primary: str) -> Found | SlashMissing | None:
    try:
        return serving.locate(root, rest, primary=primary, hidden=HIDDEN)
    except serving.NoSuchPage:
        return None


def notice(language: str, version: str) -> str:
    """Return what is said with the last rendering of a document whose Python or R is gone."""
    return f"This page was made with {language} {version}, which this server no longer offers; it cannot be refreshed."


def send(request: Request, found: Found, *, public: bool) -> Response:
    """Return the file, or 304 when the visitor has it already. What needs a sign-in is not kept by shared caches."""
    headers = {"ETag": found.etag, "Cache-Control": "no-cache" if public else "private, no-cache"}
    if serving.matches_etag(request.headers.get("if-none-match", ""), found.etag):
        return Response(status_code=304, headers=headers)
    return FileResponse(found.path, headers=headers, media_type=found.content_type)
