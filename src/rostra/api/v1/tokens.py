"""Key pairs publishing clients sign their requests with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import bodies
from rostra.api.addresses import Links
from rostra.api.answers import Router, takes
from rostra.api.edge import Known, Live, Reading, Writing
from rostra.api.v1.users import NotYourAccount
from rostra.auth import tokens_signed, users
from rostra.auth.principals import Principal
from rostra.auth.tables import KeyPair, User
from rostra.clock import wire_time
from rostra.wire import Time, Url, text

router = Router()


class TokenBody(BaseModel):
    """``user_id`` is always 0; it is not used."""

    token: Annotated[Any, text(pattern=f"^{tokens_signed.TOKEN}$")] = None
    public_key: Annotated[Any, text(1, tokens_signed.LONGEST_KEY)] = None


_BODY = TypeAdapter(TokenBody)


class TokenClaim(TypedDict):
    token_claim_url: Url


class TokenShape(TypedDict):
    token: str
    created_time: Time
    active_time: Time | None


@router.post("/tokens")
@takes(application__json=TokenBody)
async def register_token(request: Request, live: Live, session: Writing, links: Links) -> TokenClaim:
    """Register a key pair, without signing in; whoever opens ``token_claim_url`` in a browser makes it theirs."""
    wanted = bodies.understood(_BODY, await bodies.whole(request))
    pair = await tokens_signed.register(session, wanted.token, wanted.public_key, live.clock.now())
    return {"token_claim_url": links.claim(pair.token)}


@router.get("/v1/users/{guid}/tokens")
async def list_tokens(guid: str, who: Known, session: Reading) -> list[TokenShape]:
    """A person's key pairs, oldest first."""
    owner = await _owner(session, who, guid)
    return [shape(pair) for pair in await tokens_signed.of_user(session, owner.id)]


@router.delete("/v1/users/{guid}/tokens/{token}", status_code=204)
async def delete_token(guid: str, token: str, who: Known, session: Writing) -> Response:
    """Revoke a key pair at once."""
    owner = await _owner(session, who, guid)
    await session.delete(await tokens_signed.one_of_user(session, owner.id, token))
    return Response(status_code=204)


def shape(pair: KeyPair) -> TokenShape:
    active = None if pair.active_at is None else wire_time(pair.active_at)
    return {"token": pair.token, "created_time": wire_time(pair.created_at), "active_time": active}


async def _owner(session: AsyncSession, who: Principal, guid: str) -> User:
    if guid != who.guid and not who.is_administrator:
        raise NotYourAccount
    return await users.by_guid(session, guid)
