"""People and items in a test's database."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal, Role, Via
from rostra.auth.tables import User
from rostra.content import items
from rostra.content.limits import Ceilings
from rostra.content.tables import Item
from rostra.ids import new_guid

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class StillClock:
    """Shows what it was set to."""

    def __init__(self, moment: dt.datetime = NOW) -> None:
        self.moment = moment

    def now(self) -> dt.datetime:
        return self.moment


async def add_user(session: AsyncSession, name: str, role: Role = Role.publisher, *, locked: bool = False) -> User:
    user = User(guid=new_guid(), username=name, role=role.value, locked=locked, created_at=NOW, updated_at=NOW)
    session.add(user)
    await session.flush()
    return user


async def add_item(session: AsyncSession, owner: User, **given: object) -> Item:
    return await items.create(session, owner.id, given, now=NOW, ceilings=Ceilings())


def principal(user: User, role: Role | None = None) -> Principal:
    return Principal(user_id=user.id, guid=user.guid, username=user.username, role=role or Role(user.role), via=Via.key)
