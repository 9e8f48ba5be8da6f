"""Key pairs publishing clients sign their requests with."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from rostra.api import bodies
from rostra.api.addresses import Links
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, Writing
from rostra.api.v1.users import NotYourAccount
from rostra.auth import tokens_signed, users
from rostra.auth.principals import Principal
from rostra.auth.tables import KeyPair, User
from rostra.clock import wire_time

router = Router()


class TokenBody(BaseModel):
    """``user_id`` is always 0; it is not used."""

    token: Any = None
    public_key: Any = None


_BODY = TypeAdapter(TokenBody)


@router.post("/tokens")
async def register_token(request: Request, live: Live, session: Writing, links: Links) -> dict[str, str]:
    """Register a key pair, without signing in; whoever opens ``token_claim_url`` in a browser makes it theirs."""
    wanted = bodies.understood(_BODY, await bodies.whole(request))
    pair = await tokens_signed.register(session, wanted.token, wanted.public_key, live.clock.now())
    return {"token_claim_url": links.claim(pair.token)}


@router.get("/v1/users/{guid}/tokens")
async def list_tokens(guid: str, who: Known, session: Reading) -> list[dict[str, Any]]:
    """A person's key pairs, oldest first."""
    owner = await _owner(session, who, guid)
    return [shape(pair) for pair in await tokens_signed.of_user(session, owner.id)]


@router.delete("/v1/users/{guid}/tokens/{token}", status_code=204)
async def delete_token(guid: str, token: str, who: Known, session: Writing) -> Response:
    """Revoke a key pair at once."""
    owner = await _owner(session, who, guid)
    await session.delete(await tokens_signed.one_of_user(session, owner.id, token))
    return Response(status_code=204)


def shape(pair: KeyPair) -> dict[str, Any]:
    active = None if pair.active_at is None else wire_time(pair.active_at)
    return {"token": pair.token, "created_time": wire_time(pair.created_at), "active_time": active}


async def _owner(session: AsyncSession, who: Principal, guid: str) -> User:
    if guid != who.guid and not who.is_administrator:
        raise NotYourAccount
    return await users.by_guid(session, guid)
