"""The item a request is about, with the permission it takes, as endpoints declare it in their signatures.

Somebody who may not even know of an item is told that there is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api.edge import Known, Live, Reading, Writing, after_commit
from rostra.api.services import Services
from rostra.auth.principals import Principal
from rostra.content import access, items, permissions
from rostra.content.access import Facts
from rostra.content.errors import ItemNotFound
from rostra.content.tables import Item


@dataclass(frozen=True, slots=True)
class Subject:
    """``session`` is the request's transaction; ``item`` belongs to it."""

    item: Item
    facts: Facts
    who: Principal
    session: AsyncSession
    live: Services

    @property
    def guid(self) -> str:
        return self.item.guid

    def changed(self) -> None:
        """Tell the rest of the server once this is committed."""

        async def told() -> None:
            await self.live.on_item_changed(self.item.guid)

        after_commit(self.session, told)


async def load(session: AsyncSession, live: Services, who: Principal, reference: str) -> Subject:
    """Return the item called ``reference`` (a guid, or the number older clients use).

    Raises:
        ItemNotFound: there is none, or the person may not know of it.
    """
    item = await (items.by_number(session, int(reference)) if _number(reference) else items.get(session, reference))
    facts = await permissions.facts(session, item, who)
    if not access.may_know(who, facts):
        raise ItemNotFound(reference)
    return Subject(item, facts, who, session, live)


def _number(reference: str) -> bool:
    return reference.isascii() and reference.isdecimal() and len(reference) < 19


async def load_to_edit(session: AsyncSession, live: Services, who: Principal, reference: str) -> Subject:
    """As ``load``.

    Raises:
        ItemNotFound, Forbidden
    """
    subject = await load(session, live, who, reference)
    access.require(access.may_edit(who, subject.facts), who)
    return subject


Loader = Callable[[AsyncSession, Services, Principal, str], Awaitable[Subject]]


async def _viewed(guid: str, who: Known, live: Live, session: Reading) -> Subject:
    return await load(session, live, who, guid)


async def _inspected(guid: str, who: Known, live: Live, session: Reading) -> Subject:
    return await load_to_edit(session, live, who, guid)


async def _edited(guid: str, who: Known, live: Live, session: Writing) -> Subject:
    return await load_to_edit(session, live, who, guid)


Viewed = Annotated[Subject, Depends(_viewed)]
"""Read by somebody who may know of the item."""
Inspected = Annotated[Subject, Depends(_inspected)]
"""Read by somebody who may change the item: logs, variables, permissions, bundles."""
Edited = Annotated[Subject, Depends(_edited)]
"""To be changed. Name it after the body in a signature: the body is read before the transaction begins anyway."""
