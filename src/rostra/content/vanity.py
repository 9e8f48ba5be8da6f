"""Vanity paths: a name of an item's own at the top of the server. One item has at most one; no two have the same."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.content.access import visible_to
from rostra.content.errors import shown
from rostra.content.tables import Item
from rostra.db.engine import alone
from rostra.errors import Conflict, Invalid, NotFound

LONGEST = 255
_SEGMENTS = re.compile(r"(?:/(?!\.{1,2}/)[A-Za-z0-9._~-]+)+/", re.ASCII)
# What the server itself answers, now or in clients' expectations; compared without case.
RESERVED = frozenset(
    [
        *("connect", "content", "apps", "users", "groups", "setpassword", "user-completion", "confirm", "recent"),
        *("reports", "plots", "unpublished", "settings", "metrics", "tokens", "help", "login", "welcome", "register"),
        *("resetpassword", "favicon.ico"),
    ]
)


class VanityPathInvalid(Invalid):
    code = "vanity-path-invalid"
    number = 52

    def __init__(self, path: object, why: str) -> None:
        super().__init__(
            f"{shown(path)} cannot be a vanity path: {why}",
            hint="Use letters, digits and . _ ~ - between slashes, for example /sales/report/.",
        )


class VanityPathInUse(Conflict):
    code = "vanity-path-in-use"
    number = 51

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"the vanity path {path} is already in use",
            hint="Choose another one, or send force to move it here from content that you may change too.",
        )


class NoVanityPath(NotFound):
    code = "no-vanity-path"

    def __init__(self) -> None:
        super().__init__("this content has no vanity path", hint="Set one first.")


def normal(path: object) -> str:
    """Return the path with a slash at both ends.

    Raises:
        VanityPathInvalid
    """
    if not isinstance(path, str) or not path.strip("/"):
        raise VanityPathInvalid(path, "it names nothing")
    wanted = f"/{path.strip('/')}/"
    if len(wanted) > LONGEST:
        raise VanityPathInvalid(path, f"it is longer than {LONGEST} characters")
    if not _SEGMENTS.fullmatch(wanted):
        raise VanityPathInvalid(path, "it has a character or a part that addresses cannot have everywhere")
    first = wanted.split("/")[1].lower()
    if first in RESERVED or first.startswith("__"):
        raise VanityPathInvalid(path, f"the server keeps /{first} for itself")
    return wanted


async def holder(session: AsyncSession, path: str) -> Item | None:
    """Return the item that has this (normal) path."""
    wanted = sa.select(Item).where(Item.vanity_path == path, Item.deleted_at.is_(None))
    return (await session.execute(wanted)).scalar_one_or_none()


async def assign(session: AsyncSession, item: Item, path: str, now: dt.datetime, *, take_from: Item | None) -> None:
    """Give the item this (normal) path; ``take_from`` is the holder that agrees to lose it.

    Raises:
        VanityPathInUse: another item has it.
    """
    await alone(session, "vanities")
    there = await holder(session, path)
    if there is not None and there.id != item.id:
        if take_from is None or there.id != take_from.id:
            raise VanityPathInUse(path)
        there.vanity_path = there.vanity_at = None
        await session.flush()  # before the other row takes it: the column is unique
    if item.vanity_path != path:
        item.vanity_path, item.vanity_at = path, now
    await session.flush()


async def listing(session: AsyncSession, who: Principal) -> Sequence[Item]:
    """Return the items with a vanity path that this person may know of, by path."""
    wanted = sa.select(Item).where(visible_to(who), Item.vanity_path.is_not(None)).order_by(Item.vanity_path)
    return (await session.execute(wanted)).scalars().all()
