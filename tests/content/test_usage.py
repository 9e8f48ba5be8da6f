"""Visits: written in batches, listed in order, counted by index."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import NOW, add_item, add_user

from rostra.content import usage
from rostra.content.tables import Item, Visit
from rostra.content.usage import Collected, Seen
from rostra.content.usage_pages import Asked
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio


def seen(item: str, user: str | None = None, *, days: float = 0, **more: object) -> Seen:
    at = NOW - dt.timedelta(days=days)
    return Seen(item=item, user=user, path="/content/x/", at=at, agent="curl", **more)  # type: ignore[arg-type]


async def test_a_batch_is_written_with_who_and_what(session: AsyncSession) -> None:
    owner = await add_user(session, "ada")
    item = await add_item(session, owner)
    assert await usage.store(session, [seen(item.guid, owner.guid), seen(item.guid, bundle_id=7)]) == 2
    first, second = await usage.listing(session, Asked(), limit=10)
    assert (first.item, first.user, first.agent, first.bundle_id) == (item.guid, owner.guid, "curl", None)
    assert (second.user, second.bundle_id) == (None, 7)


async def test_a_visit_of_what_is_gone_is_dropped(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    assert await usage.store(session, [seen("not-there"), seen(item.guid, "nobody-known")]) == 1
    assert (await usage.listing(session, Asked(), limit=10))[0].user is None


async def test_hostile_text_is_kept_short_and_storable(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    bad = Seen(item=item.guid, user=None, path="/\0" + "é" * 5000, at=NOW, agent="\ud800" + "x" * 5000)
    assert await usage.store(session, [bad]) == 1
    row = (await usage.listing(session, Asked(), limit=1))[0]
    assert row.path.startswith("/éé")
    assert len(row.path) <= usage.PATH_LENGTH
    assert len(row.agent) == usage.AGENT_LENGTH


@pytest.mark.parametrize(
    ("newest_first", "after", "before", "expected", "why"),
    [
        (False, None, None, [1, 2], "from the beginning"),
        (False, 2, None, [3, 4], "the next page"),
        (False, None, 4, [2, 3], "the page before, in the same order"),
        (True, None, None, [5, 4], "newest first"),
        (True, 4, None, [3, 2], "its next page"),
        (True, None, 2, [4, 3], "its page before"),
    ],
)
async def test_pages(
    session: AsyncSession, newest_first: bool, after: int | None, before: int | None, expected: list[int], why: str
) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    await usage.store(session, [seen(item.guid) for _ in range(5)])
    first = (await session.execute(sa.select(sa.func.min(Visit.id)))).scalar_one()
    rows = await usage.listing(
        session,
        Asked(),
        limit=2,
        newest_first=newest_first,
        after=None if after is None else after + first - 1,
        before=None if before is None else before + first - 1,
    )
    assert [row.id - first + 1 for row in rows] == expected, why


async def test_filters(session: AsyncSession) -> None:
    owner = await add_user(session, "ada")
    one, two = await add_item(session, owner), await add_item(session, owner)
    await usage.store(session, [seen(one.guid, days=5), seen(one.guid, bundle_id=1), seen(two.guid)])

    async def count(**asked: object) -> int:
        return len(await usage.listing(session, Asked(**asked), limit=10))  # type: ignore[arg-type]

    assert await count(items=[one.id]) == 2
    assert await count(items=[]) == 0
    assert await count(since=NOW - dt.timedelta(days=1)) == 2
    assert await count(until=NOW - dt.timedelta(days=1)) == 1
    assert await count(only_shown=True) == 1


async def test_counts_and_the_last_visit(session: AsyncSession) -> None:
    owner = await add_user(session, "ada")
    item, quiet = await add_item(session, owner), await add_item(session, owner)
    await usage.store(session, [seen(item.guid, days=days) for days in (1, 29, 31, 89, 91)])
    columns = [usage.count_since(NOW - dt.timedelta(days=days)) for days in (30, 90)]
    rows = await session.execute(sa.select(Item.guid, *columns, usage.last_visit()))
    found = {guid: tuple(rest) for guid, *rest in rows}
    assert found == {item.guid: (2, 4, NOW - dt.timedelta(days=1)), quiet.guid: (0, 0, None)}


async def test_counting_looks_into_an_index_only(session: AsyncSession) -> None:
    if (await session.connection()).dialect.name != "sqlite":
        pytest.skip("the plan's wording is SQLite's")
    query = sa.select(Item.id, usage.count_since(NOW), usage.last_visit())
    text = str(query.compile((await session.connection()).engine, compile_kwargs={"literal_binds": False}))
    plan = await (await session.connection()).exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (NOW.isoformat(),))
    steps = [row[3] for row in plan]
    assert [step for step in steps if "visits" in step and "COVERING INDEX visits_by_item" not in step] == []


async def test_what_could_not_be_written_is_kept(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        item = await add_item(session, await add_user(session, "ada"))

    def refuse() -> None:
        raise OSError("away")

    collected = Collected(refuse)  # type: ignore[arg-type]
    collected.add(seen(item.guid))
    with pytest.raises(OSError, match="away"):
        await collected.write()
    collected._sessions = sessions
    assert await collected.write() == 1
    assert await collected.write() == 0


async def test_old_visits_are_forgotten(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    await usage.store(session, [seen(item.guid, days=401), seen(item.guid)])
    await usage.prune(session, NOW)
    assert len(await usage.listing(session, Asked(), limit=10)) == 1
