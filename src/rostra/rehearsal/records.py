"""Rehearsals in the database: begun, gone on with after a crash, read. Always in the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.tables import User
from rostra.clock import wire_time
from rostra.content.tables import Bundle, Item, Job, Visit
from rostra.db.engine import alone
from rostra.errors import NotFound
from rostra.ids import new_key
from rostra.jobs.tables import Task
from rostra.rehearsal.model import About, RehearsedUseJson, Step
from rostra.rehearsal.tables import BuiltAside, Finding, Rehearsal, RehearsedItem
from rostra.rehearsal.target import Wish

RUNNING = ("waiting", "running")
STOPPED = ("cancelled", "failed")
KEPT = 20  # rehearsals remembered
_CHUNK = 500  # fewer than any database's limit of values in one statement


class NoSuchRehearsal(NotFound):
    code = "no-such-rehearsal"

    def __init__(self, rehearsal_id: str) -> None:
        super().__init__(f"there is no rehearsal {rehearsal_id[:40]!r}", hint="List them to find the right one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks to be rehearsed."""

    wish: Wish
    steps: tuple[Step, ...]
    keep: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """An item as it is now, to be held against what was rehearsed of it."""

    guid: str
    title: str
    bundle_id: int


@dataclass(frozen=True, slots=True)
class Live:
    """An item with its live bundle."""

    about: About
    item: Item
    bundle: Bundle


async def begin(session: AsyncSession, wanted: Wanted, now: dt.datetime, user_id: int | None = None) -> Rehearsal:
    """Write a new rehearsal down, with the items it is about: what is live on one of the versions now."""
    made = Rehearsal(
        id=new_key(),
        retire=list(wanted.wish.retire),
        onto=wanted.wish.onto,
        steps=[step.value for step in wanted.steps],
        keep=wanted.keep,
        fresh=wanted.fresh,
        user_id=user_id,
        created_at=now,
    )
    session.add(made)
    await session.flush()
    rows = [{"rehearsal_id": made.id, "guid": guid} for guid in await affected(session, wanted.wish)]
    if rows:
        await session.execute(sa.insert(RehearsedItem), rows)
    await _forget_old(session)
    return made


async def affected(session: AsyncSession, wish: Wish) -> list[str]:
    """Return the guids of the items whose live bundle runs on what is to be retired, oldest item first."""
    return [each.guid for each in await present(session, wish)]


async def present(session: AsyncSession, wish: Wish) -> list[Present]:
    """Return the items whose live bundle runs on what is to be retired, oldest first."""
    live = sa.and_(Bundle.id == Item.live_bundle_id, Item.deleted_at.is_(None), Bundle.runtime_version.is_not(None))
    known = (await session.execute(sa.select(Bundle.runtime_version).join(Item, live).distinct())).scalars()
    going = [version for version in known if version and wish.retires(version)]
    wanted = sa.select(Item.guid, Item.title, Item.name, Bundle.id).join(Bundle, live)
    rows = await session.execute(wanted.where(Bundle.runtime_version.in_(going)).order_by(Item.id))
    return [Present(guid=guid, title=title or name, bundle_id=bundle) for guid, title, name, bundle in rows]


async def get(session: AsyncSession, rehearsal_id: str) -> Rehearsal:
    """Raises: NoSuchRehearsal."""
    found = await session.get(Rehearsal, rehearsal_id)
    if found is None:
        raise NoSuchRehearsal(rehearsal_id)
    return found


async def listing(session: AsyncSession) -> Sequence[Rehearsal]:
    """Return all that are remembered, newest first."""
    newest = sa.select(Rehearsal).order_by(Rehearsal.created_at.desc(), Rehearsal.id)
    return (await session.execute(newest)).scalars().all()


async def counts(session: AsyncSession, rehearsal_id: str) -> dict[str, int]:
    """Return how many items have each outcome; those not judged yet under ``waiting``."""
    wanted = sa.select(RehearsedItem.outcome, sa.func.count()).where(RehearsedItem.rehearsal_id == rehearsal_id)
    rows = await session.execute(wanted.group_by(RehearsedItem.outcome))
    return {outcome or "waiting": number for outcome, number in rows}


async def results(session: AsyncSession, rehearsal_id: str) -> list[dict[str, Any]]:
    """Return the results there are, as they were stored."""
    wanted = sa.select(RehearsedItem.result).where(
        RehearsedItem.rehearsal_id == rehearsal_id, RehearsedItem.outcome.is_not(None)
    )
    return [found for found in (await session.execute(wanted)).scalars() if found is not None]


async def waiting(session: AsyncSession, rehearsal_id: str) -> list[str]:
    """Return the guids that have not been judged, in a fixed order.

    First one of each environment, so that several are examined at a time; then the others, those of one environment
    after each other.
    """
    wanted = (
        sa.select(RehearsedItem.guid, Bundle.environment_key)
        .join(Item, Item.guid == RehearsedItem.guid, isouter=True)
        .join(Bundle, Bundle.id == Item.live_bundle_id, isouter=True)
        .where(RehearsedItem.rehearsal_id == rehearsal_id, RehearsedItem.outcome.is_(None))
        .order_by(Bundle.environment_key, Item.id)
    )
    first: dict[str | None, str] = {}
    others = []
    for guid, key in await session.execute(wanted):
        if first.setdefault(key, guid) != guid:
            others.append(guid)
    return [*first.values(), *others]


async def store(session: AsyncSession, rehearsal_id: str, results: Sequence[Mapping[str, Any]]) -> None:
    mine = sa.and_(RehearsedItem.rehearsal_id == rehearsal_id, RehearsedItem.guid == sa.bindparam("its_guid"))
    told: dict[str, Any] = {"outcome": sa.bindparam("its_outcome"), "result": sa.bindparam("its_result")}
    rows = [{"its_guid": each["guid"], "its_outcome": each["outcome"], "its_result": dict(each)} for each in results]
    await (await session.connection()).execute(sa.update(RehearsedItem).where(mine).values(told), rows)


async def drop(session: AsyncSession, rehearsal_id: str, guids: Sequence[str]) -> None:
    """Take out items that were deleted, or moved off what is retired, since the rehearsal began."""
    mine = sa.and_(RehearsedItem.rehearsal_id == rehearsal_id, RehearsedItem.guid.in_(guids))
    await session.execute(sa.delete(RehearsedItem).where(mine).execution_options(synchronize_session=False))


async def enter(
    session: AsyncSession, rehearsal_id: str, state: str, now: dt.datetime | None = None, note: str = ""
) -> bool:
    """Change the state of one that has not ended; False when it has."""
    values: dict[str, Any] = {"state": state, "note": note} | ({"finished_at": now} if now else {})
    change = sa.update(Rehearsal).where(Rehearsal.id == rehearsal_id, Rehearsal.state.in_(RUNNING)).values(values)
    done = await session.execute(change.returning(Rehearsal.id).execution_options(synchronize_session=False))
    return done.first() is not None


async def reopen(session: AsyncSession, rehearsal_id: str) -> bool:
    """Let one that was stopped or failed wait again, with the results it has; False when it is in no such state."""
    change = sa.update(Rehearsal).where(Rehearsal.id == rehearsal_id, Rehearsal.state.in_(STOPPED))
    change = change.values(state="waiting", note="", finished_at=None).returning(Rehearsal.id)
    return (await session.execute(change.execution_options(synchronize_session=False))).first() is not None


async def state_of(session: AsyncSession, rehearsal_id: str) -> str:
    wanted = sa.select(Rehearsal.state).where(Rehearsal.id == rehearsal_id)
    return (await session.execute(wanted)).scalar_one_or_none() or "cancelled"


async def find(session: AsyncSession, key: str, since: dt.datetime) -> dict[str, Any] | None:
    """Return what was found out under ``key`` after ``since``."""
    wanted = sa.select(Finding.payload).where(Finding.key == key, Finding.found_at >= since)
    return (await session.execute(wanted)).scalar_one_or_none()


async def keep(session: AsyncSession, key: str, payload: Mapping[str, Any], now: dt.datetime) -> None:
    await session.execute(sa.delete(Finding).where(Finding.key == key))
    session.add(Finding(key=key, payload=dict(payload), found_at=now))
    await session.flush()


async def intend(session: AsyncSession, rehearsal_id: str, key: str) -> None:
    """Write down that an environment is going to be built; saying it twice, even at the same time, is fine."""
    await alone(session, f"rehearsal/{rehearsal_id}")
    if await session.get(BuiltAside, (rehearsal_id, key)) is None:
        session.add(BuiltAside(rehearsal_id=rehearsal_id, key=key))
        await session.flush()


async def to_reap(session: AsyncSession, rehearsal_id: str, wanted: Collection[str]) -> list[str]:
    """Return the environments built for this rehearsal alone: in no bundle's use, and not among ``wanted``.

    Empty while a deploy is under way: it may be about to use one.
    """
    busy = sa.select(Task.id).where(Task.kind == "deploy", Task.finished_at.is_(None)).limit(1)
    if (await session.execute(busy)).first() is not None:
        return []
    used = sa.exists().where(Bundle.environment_key == BuiltAside.key)
    mine = sa.select(BuiltAside.key).where(BuiltAside.rehearsal_id == rehearsal_id, ~used)
    return sorted(set((await session.execute(mine)).scalars()) - set(wanted))


async def forget_built(session: AsyncSession, rehearsal_id: str) -> None:
    await session.execute(sa.delete(BuiltAside).where(BuiltAside.rehearsal_id == rehearsal_id))


async def about(session: AsyncSession, guids: Sequence[str], server_url: str, now: dt.datetime) -> dict[str, About]:
    """Return what is known of each item that still has a live bundle."""
    return {guid: each.about for guid, each in (await live(session, guids, server_url, now)).items()}


async def live(session: AsyncSession, guids: Sequence[str], server_url: str, now: dt.datetime) -> dict[str, Live]:
    """Return the same with the rows, in a number of queries that does not grow with the items of a chunk."""
    found: dict[str, Live] = {}
    for start in range(0, len(guids), _CHUNK):
        some = guids[start : start + _CHUNK]
        its = sa.and_(Bundle.id == Item.live_bundle_id, Bundle.runtime_version.is_not(None))
        wanted = sa.select(Item, Bundle, User).join(Bundle, its).join(User, User.id == Item.owner_id)
        rows = (await session.execute(wanted.where(Item.guid.in_(some), Item.deleted_at.is_(None)))).all()
        numbers = [item.id for item, _, _ in rows]
        last = sa.select(Job.item_id, sa.func.max(Job.started_at)).where(Job.item_id.in_(numbers)).group_by(Job.item_id)
        started = {row[0]: row[1] for row in await session.execute(last)}
        month = sa.select(Visit.item_id, sa.func.count(), sa.func.max(Visit.at)).where(Visit.item_id.in_(numbers))
        month = month.where(Visit.at >= now - dt.timedelta(days=30)).group_by(Visit.item_id)
        visits = {row[0]: (row[1], row[2]) for row in await session.execute(month)}
        for item, bundle, user in rows:
            use = _use(item, started.get(item.id), *visits.get(item.id, (0, None)))
            found[item.guid] = Live(_about(item, bundle, user, use, server_url), item, bundle)
    return found


def _use(item: Item, started: dt.datetime | None, visits: int, visited: dt.datetime | None) -> RehearsedUseJson:
    def said(when: dt.datetime | None) -> str | None:
        return wire_time(when) if when else None

    return {
        "visits_30d": visits,
        "deployed_at": said(item.deployed_at),
        "started_at": said(started),
        "visited_at": said(visited),
    }


def _about(item: Item, bundle: Bundle, user: User, use: RehearsedUseJson, server_url: str) -> About:
    return About(
        guid=item.guid,
        name=item.name,
        title=item.title or "",
        kind=bundle.kind,
        bundle_id=bundle.id,
        owner={
            "guid": user.guid,
            "username": user.username,
            "name": f"{user.first_name} {user.last_name}".strip() or user.username,
            "email": user.email,
            "locked": user.locked,
        },
        use=use,
        version=bundle.runtime_version or "",
        path=bundle.runtime_path or "",
        environment_key=bundle.environment_key or "",
        url=f"{server_url}/content/{item.guid}/",
    )


async def _forget_old(session: AsyncSession) -> None:
    newest = sa.select(Rehearsal.id).order_by(Rehearsal.created_at.desc()).limit(KEPT)
    ids = list((await session.execute(newest)).scalars())
    old = sa.and_(Rehearsal.id.not_in(ids), Rehearsal.state.not_in(RUNNING))
    gone = list((await session.execute(sa.select(Rehearsal.id).where(old))).scalars())
    for table in (RehearsedItem, BuiltAside):
        await session.execute(sa.delete(table).where(table.rehearsal_id.in_(gone)))
    await session.execute(sa.delete(Rehearsal).where(Rehearsal.id.in_(gone)))
