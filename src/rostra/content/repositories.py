"""Which content comes from a Git repository, what was last taken from there, and what went wrong. Nobody here commits.

Setting a repository only writes it down. What was deployed from it once is looked at again and again when polling is
on: a first deploy is somebody's decision.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content import git_location
from rostra.content.git_location import DEFAULT_BRANCH, TOP, Location
from rostra.content.tables import Item, Repository
from rostra.errors import Conflict, NotFound

CHANGED = "repositories"  # the bell's name for "a repository may be due earlier"
LONGEST_ERROR = 2000  # characters


class NoRepository(NotFound):
    code = "no-repository"

    def __init__(self) -> None:
        super().__init__("this content does not come from a Git repository", hint="Set one, or upload a bundle.")


class NotFromGit(Conflict):
    code = "not-from-git"
    number = 143

    def __init__(self) -> None:
        super().__init__(
            "this content does not come from a Git repository", hint="Set one, or name a repository in the request."
        )


class UploadToGit(Conflict):
    """A bundle was uploaded for content that comes from a repository."""

    code = "upload-to-git"
    number = 144

    def __init__(self) -> None:
        super().__init__(
            "this content comes from a Git repository and takes no uploads",
            hint="Push to the repository, or remove it from the content first.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a client sent. None: not sent."""

    url: str | None = None
    branch: str | None = None
    directory: str | None = None
    polling: bool | None = None


async def find(session: AsyncSession, item: Item) -> Repository | None:
    return await session.get(Repository, item.id)


async def get(session: AsyncSession, item: Item) -> Repository:
    """Raises: NoRepository."""
    found = await find(session, item)
    if found is None:
        raise NoRepository
    return found


async def check_takes_uploads(session: AsyncSession, item: Item) -> None:
    """Raises: UploadToGit."""
    if await find(session, item) is not None:
        raise UploadToGit


def place(row: Repository) -> Location:
    return Location(row.url, row.branch, row.directory)


def location(wanted: Wanted) -> Location:
    """Return the place a client describes, with the defaults of what was not sent.

    Raises:
        BadProtocol, BadRepository, BadBranch, BadDirectory
    """
    return git_location.location(wanted.url or "", wanted.branch or DEFAULT_BRANCH, wanted.directory or TOP)


async def put(session: AsyncSession, item: Item, wanted: Wanted, *, user_id: int, now: dt.datetime) -> Repository:
    """Let the item come from there; what was set before is replaced.

    Raises:
        BadProtocol, BadRepository, BadBranch, BadDirectory
    """
    there = location(wanted)
    row = await find(session, item)
    if row is None:
        row = Repository(item_id=item.id, created_at=now, url="", branch="", directory="", polling=False)
        session.add(row)
    _set(row, there, polling=bool(wanted.polling), user_id=user_id, now=now)
    await session.flush()
    return row


async def patch(session: AsyncSession, item: Item, wanted: Wanted, *, user_id: int, now: dt.datetime) -> Repository:
    """Change what was sent.

    Raises:
        NoRepository, BadProtocol, BadRepository, BadBranch, BadDirectory
    """
    row = await get(session, item)
    there = git_location.location(wanted.url or row.url, wanted.branch or row.branch, wanted.directory or row.directory)
    polling = row.polling if wanted.polling is None else wanted.polling
    _set(row, there, polling=polling, user_id=user_id, now=now)
    await session.flush()
    return row


def _set(row: Repository, there: Location, *, polling: bool, user_id: int, now: dt.datetime) -> None:
    if place(row) != there:
        row.url, row.branch, row.directory = there.url, there.branch, there.directory
        row.commit = row.tree = row.poll_error = row.deploy_error = row.fetched_at = None
    row.polling, row.changed_by_id, row.updated_at = polling, user_id, now
    row.next_poll = now if _is_polled(row) else None


def _is_polled(row: Repository) -> bool:
    return row.polling and row.commit is not None


async def remove(session: AsyncSession, item: Item) -> None:
    """Let the item come from nowhere; its bundles stay. Nothing is wrong when it did before."""
    await session.execute(sa.delete(Repository).where(Repository.item_id == item.id))


@dataclass(frozen=True, slots=True)
class Read:
    """What a repository has, and why that did not become the live version; empty: it did."""

    commit: str
    tree: str
    at: dt.datetime
    why_not: str = ""


async def settle(session: AsyncSession, row: Repository, read: Read, again: dt.timedelta) -> bool:
    """Write down what was read and what became of it; the repository is looked at ``again`` after that time.

    Return whether it was well before and is not now.
    """
    was_well = last_error(row) is None
    row.commit, row.tree, row.fetched_at, row.poll_error = read.commit, read.tree, read.at, None
    row.deploy_error = read.why_not[:LONGEST_ERROR] or None
    row.next_poll = read.at + again if _is_polled(row) else None
    await session.flush()
    return was_well and bool(read.why_not)


async def not_read(session: AsyncSession, row: Repository, why: str) -> bool:
    """Write down why it could not be read; return whether it was well before."""
    was_well = last_error(row) is None
    row.poll_error = why[:LONGEST_ERROR]
    await session.flush()
    return was_well


def last_error(row: Repository) -> str | None:
    return row.poll_error or row.deploy_error


async def soonest(session: AsyncSession) -> dt.datetime | None:
    """Return when the next repository is due, also when that is past."""
    found: dt.datetime | None = (await session.execute(sa.select(sa.func.min(Repository.next_poll)))).scalar_one()
    return found


async def begin_due(
    session: AsyncSession,
    now: dt.datetime,
    again: dt.timedelta,
    start: Callable[[Item], Awaitable[None]],
    *,
    most: int = 20,
) -> int:
    """Let ``start`` begin looking at up to ``most`` repositories that are due; return how many were.

    Rows that another server takes at this moment are left to it.
    """
    wanted = sa.select(Repository).where(Repository.next_poll <= now).order_by(Repository.next_poll, Repository.item_id)
    rows: Sequence[Repository] = (
        (await session.execute(wanted.limit(most).with_for_update(skip_locked=True))).scalars().all()
    )
    for row in rows:
        row.next_poll = now + again if row.polling else None
        item = await session.get_one(Item, row.item_id)
        if row.polling and item.deleted_at is None and not item.locked:
            await start(item)
    await session.flush()
    return len(rows)
