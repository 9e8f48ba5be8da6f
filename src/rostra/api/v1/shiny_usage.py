"""Sessions of interactive content. None is recorded: each visit is in the hits, whatever the content is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from rostra.api.addresses import Links
from rostra.api.edge import Publisher
from rostra.api.paging import keyset

router = APIRouter()


@router.get("/v1/instrumentation/shiny/usage")
async def list_sessions(who: Publisher, request: Request, links: Links) -> dict[str, Any]:  # noqa: ARG001
    """Sessions of interactive content: none is recorded; `v1/instrumentation/content/hits` has every visit."""
    return keyset(request, links, [], previous=None, next=None, last=None)
