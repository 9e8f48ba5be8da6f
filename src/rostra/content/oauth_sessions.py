"""What people have signed in to: one session of each person with each integration. Tokens are encrypted. Nobody here
commits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content.access import shown_to
from rostra.content.integrations import VENDORS_ONLY, VIEWER
from rostra.content.oauth_provider import Tokens
from rostra.content.tables import Association, Integration, Item, OAuthSession
from rostra.content.variables import Box
from rostra.errors import Invalid, NotFound
from rostra.ids import new_guid

EARLY = dt.timedelta(seconds=60)  # a token that ends within this is made anew first


class NoSuchOAuthSession(NotFound):
    code = "no-such-oauth-session"
    number = 220

    def __init__(self) -> None:
        super().__init__("there is no such session", hint="List the sessions with other providers.")


class NotConnected(Invalid):
    """The visitor has not signed in to the provider; ``hint`` has the address where they can."""

    code = "oauth-not-connected"
    number = 218

    def __init__(self, name: str, login_url: str) -> None:
        super().__init__(f"the visitor has not signed in to {name}", hint=f"Send the visitor to {login_url}")


async def find(session: AsyncSession, integration: Integration, user_id: int) -> OAuthSession | None:
    wanted = sa.select(OAuthSession).where(
        OAuthSession.integration_id == integration.id, OAuthSession.user_id == user_id
    )
    return (await session.execute(wanted)).scalar_one_or_none()


async def keep(
    session: AsyncSession, box: Box, integration: Integration, user_id: int, *, tokens: Tokens, now: dt.datetime
) -> OAuthSession:
    """Write down what a provider gave. A provider that sends no new refresh token leaves the old one good."""
    row = await find(session, integration, user_id)
    refresh = tokens.refresh
    if row is None:
        row = OAuthSession(guid=new_guid(), integration_id=integration.id, user_id=user_id, created_at=now, tokens="")
        session.add(row)
    elif refresh is None:
        refresh = opened(box, row)[1]
    row.tokens = box.close(0, row.guid, json.dumps([tokens.access, refresh]))
    row.has_refresh = refresh is not None
    row.expires_at = None if tokens.lifetime is None else now + dt.timedelta(seconds=min(tokens.lifetime, 10**8))
    row.updated_at = now
    await session.flush()
    return row


def opened(box: Box, row: OAuthSession) -> tuple[str, str | None]:
    """Return the access token, and the refresh token when there is one. Raises: VariablesLocked."""
    access, refresh = json.loads(box.open(0, row.guid, row.tokens))
    return access, refresh


def is_fresh(row: OAuthSession, now: dt.datetime) -> bool:
    return row.expires_at is None or row.expires_at > now + EARLY


async def listing(session: AsyncSession, who: Principal, *, everybody: bool) -> Sequence[tuple[OAuthSession, str, str]]:
    """Return sessions with the guids of their person and their integration, oldest first."""
    wanted = _joined().order_by(OAuthSession.id)
    if not (everybody and who.is_administrator):
        wanted = wanted.where(OAuthSession.user_id == who.user_id)
    return [(row, user, integration) for row, user, integration in await session.execute(wanted)]


async def wanted_of(session: AsyncSession, who: Principal) -> Sequence[tuple[Integration, OAuthSession | None]]:
    """Return what this person signed in to, and what content they may open wants them to, by name."""
    mine = sa.and_(OAuthSession.integration_id == Integration.id, OAuthSession.user_id == who.user_id)
    used = sa.select(Association.item_id).join(Item, Item.id == Association.item_id)
    used = used.where(Association.integration_id == Integration.id, shown_to(who)).correlate(Integration)
    wanted = sa.select(Integration, OAuthSession).outerjoin(OAuthSession, mine)
    asked = sa.and_(Integration.auth_type == VIEWER, Integration.template.not_in(VENDORS_ONLY), used.exists())
    rows = await session.execute(wanted.where(sa.or_(OAuthSession.id.is_not(None), asked)).order_by(Integration.name))
    return [(integration, row) for integration, row in rows]


async def get(session: AsyncSession, who: Principal, guid: str) -> tuple[OAuthSession, str, str]:
    """Raises: NoSuchOAuthSession, also for somebody else's, unless an administrator asks."""
    wanted = _joined().where(OAuthSession.guid == guid.lower())
    found = (await session.execute(wanted)).one_or_none()
    if found is None or (found[0].user_id != who.user_id and not who.is_administrator):
        raise NoSuchOAuthSession
    return found[0], found[1], found[2]


def _joined() -> sa.Select[OAuthSession, str, str]:
    wanted = sa.select(OAuthSession, User.guid, Integration.guid).join(User, User.id == OAuthSession.user_id)
    return wanted.join(Integration, Integration.id == OAuthSession.integration_id)
