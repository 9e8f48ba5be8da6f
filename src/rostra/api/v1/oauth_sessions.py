"""What people have signed in to through OAuth integrations."""

from __future__ import annotations

from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api.answers import Router
from rostra.api.edge import Known, Reading, Writing
from rostra.clock import wire_time
from rostra.content import oauth_sessions
from rostra.content.oauth_tokens import LOGIN_PATH
from rostra.content.tables import Integration, OAuthSession
from rostra.wire import Guid, Id, Time

router = Router()


class SessionShape(TypedDict):
    id: Id
    guid: Guid
    user_guid: Guid
    oauth_integration_guid: Guid
    has_refresh_token: bool
    created_time: Time
    updated_time: Time


class Connection(TypedDict):
    """``session_guid`` is null until the caller has signed in, which they do at ``login_path`` with a browser."""

    oauth_integration_guid: Guid
    oauth_integration_name: str
    oauth_integration_description: str
    session_guid: Guid | None
    connected_time: Time | None
    login_path: str


@router.get("/v1/oauth/connections")
async def list_connections(who: Known, session: Reading) -> list[Connection]:
    """The services that content the caller may open wants their account at, and whether they have signed in there."""
    rows = await oauth_sessions.wanted_of(session, who)
    return [_connection(integration, row) for integration, row in rows]


def _connection(integration: Integration, row: OAuthSession | None) -> Connection:
    return {
        "oauth_integration_guid": integration.guid,
        "oauth_integration_name": integration.name,
        "oauth_integration_description": integration.description,
        "session_guid": None if row is None else row.guid,
        "connected_time": None if row is None else wire_time(row.created_at),
        "login_path": f"{LOGIN_PATH}{integration.guid}",
    }


@router.get("/v1/oauth/sessions")
async def list_sessions(who: Known, session: Reading, all: bool = False) -> list[SessionShape]:  # noqa: A002
    """What the caller has signed in to; with ``all`` an administrator sees everybody's."""
    found = await oauth_sessions.listing(session, who, everybody=all)
    return [_session(*row) for row in found]


@router.get("/v1/oauth/sessions/{guid}")
async def get_session(guid: str, who: Known, session: Reading) -> SessionShape:
    """One session with a provider."""
    return _session(*await oauth_sessions.get(session, who, guid))


@router.delete("/v1/oauth/sessions/{guid}", status_code=204)
async def delete_session(guid: str, who: Known, session: Writing) -> Response:
    """End a session: its tokens are forgotten here, and the visitor signs in again when they are needed."""
    await session.delete((await oauth_sessions.get(session, who, guid))[0])
    return Response(status_code=204)


def _session(row: OAuthSession, user_guid: str, integration_guid: str) -> SessionShape:
    return {
        "id": str(row.id),
        "guid": row.guid,
        "user_guid": user_guid,
        "oauth_integration_guid": integration_guid,
        "has_refresh_token": row.has_refresh,
        "created_time": wire_time(row.created_at),
        "updated_time": wire_time(row.updated_at),
    }
