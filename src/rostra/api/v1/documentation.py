"""What administrators wrote for the people of this server; shown at ``/__docs__/user``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Reading, Writing
from rostra.clock import wire_time
from rostra.content import audit_log, notices
from rostra.content.tables import Notice
from rostra.errors import NotFound
from rostra.wire import Time, text

router = Router()


class NoDocumentation(NotFound):
    code = "no-documentation"

    def __init__(self) -> None:
        super().__init__("nobody has written documentation for this server", hint="An administrator can.")


class DocumentationBody(BaseModel):
    """``content`` is Markdown."""

    content: Annotated[Any, text(1, notices.LONGEST)] = None


class Documentation(TypedDict):
    """``content`` is Markdown."""

    content: str
    updated_time: Time


def shape(row: Notice) -> Documentation:
    return {"content": row.text, "updated_time": wire_time(row.updated_at)}


@router.get("/v1/system/documentation")
async def get_documentation(who: Known, session: Reading) -> Documentation:  # noqa: ARG001
    """The server's own documentation, in Markdown; 404 when nobody has written any."""
    row = await notices.get(session, notices.DOCUMENTATION)
    if row is None:
        raise NoDocumentation
    return shape(row)


@router.post("/v1/system/documentation")
async def put_documentation(
    who: Administrator,  # noqa: ARG001
    wanted: Annotated[DocumentationBody, edge.parsed(DocumentationBody)],
    live: Live,
    session: Writing,
) -> Documentation:
    """Write it, or write it anew; up to 500,000 characters."""
    row = await notices.put(session, notices.DOCUMENTATION, wanted.content, live.clock.now())
    audit_log.note(session, characters=len(row.text))
    return shape(row)


@router.delete("/v1/system/documentation", status_code=204)
async def remove_documentation(who: Administrator, session: Writing) -> Response:  # noqa: ARG001
    """Remove it; fine when there is none."""
    await notices.remove(session, notices.DOCUMENTATION)
    return Response(status_code=204)
