"""Tokens for machines, which administrators make: each reads what its scopes name, and nothing else."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Live, Reading, Writing
from rostra.auth import service_tokens
from rostra.auth.principals import Via
from rostra.auth.tables import ServiceToken, User
from rostra.clock import wire_time
from rostra.wire import Guid, Time, one_of, text

router = Router()

ScopeName = Annotated[str, one_of(service_tokens.SCOPES)]


_SCOPES = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(service_tokens.SCOPES)}}


class NewTokenBody(BaseModel):
    name: Annotated[Any, text(1, 255)] = None
    scopes: Annotated[Any, WithJsonSchema(_SCOPES)] = None
    expires_at: AwareDatetime | None = None


class ScopeShape(TypedDict):
    name: ScopeName
    description: str


class ServiceTokenShape(TypedDict):
    guid: Guid
    name: str
    scopes: list[ScopeName]
    created_by: Guid | None
    created_time: Time
    active_time: Time | None
    expires_at: Time | None


class NewServiceToken(ServiceTokenShape):
    """``token`` is the secret; no other answer has it."""

    token: str


async def _shape(session: AsyncSession, row: ServiceToken) -> ServiceTokenShape:
    creator = None if row.created_by_id is None else await session.get(User, row.created_by_id)
    return {
        "guid": row.guid,
        "name": row.name,
        "scopes": row.scopes,
        "created_by": None if creator is None else creator.guid,
        "created_time": wire_time(row.created_at),
        "active_time": None if row.active_at is None else wire_time(row.active_at),
        "expires_at": None if row.expires_at is None else wire_time(row.expires_at),
    }


@router.get("/v1/system/service-tokens/scopes")
async def list_scopes(who: Administrator) -> list[ScopeShape]:  # noqa: ARG001
    """The scopes a token can have, with what they open."""
    return [{"name": name, "description": said} for name, said in service_tokens.SCOPES.items()]


@router.get("/v1/system/service-tokens")
async def list_service_tokens(who: Administrator, session: Reading) -> list[ServiceTokenShape]:  # noqa: ARG001
    """All tokens, oldest first, without their secrets."""
    return [await _shape(session, row) for row in await service_tokens.listing(session)]


@router.post("/v1/system/service-tokens", status_code=201)
async def create_service_token(
    who: Administrator, wanted: Annotated[NewTokenBody, edge.parsed(NewTokenBody)], live: Live, session: Writing
) -> NewServiceToken:
    """Make a token; this answer is the only one that has it. It is sent as ``Authorization: Key ...``."""
    if who.via is Via.process_key:
        raise service_tokens.ServiceTokenInvalid("a content process's own key cannot make one")
    row, secret = await service_tokens.create(
        session,
        wanted.name,
        wanted.scopes,
        user_id=who.user_id,
        now=live.clock.now(),
        expires_at=wanted.expires_at,
    )
    return {**await _shape(session, row), "token": secret}


@router.delete("/v1/system/service-tokens/{token_guid}", status_code=204)
async def delete_service_token(token_guid: str, who: Administrator, session: Writing) -> Response:  # noqa: ARG001
    """Remove a token; it is refused from then on."""
    await session.delete(await service_tokens.get(session, token_guid))
    return Response(status_code=204)
