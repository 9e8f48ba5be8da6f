"""Sessions of interactive content: told row by row, in any order, as often as gateways like."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import NOW, add_item, add_user

from rostra.content import usage_sessions
from rostra.content.tables import UsageSession
from rostra.content.usage_pages import Asked
from rostra.content.usage_sessions import Collected, Told
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio
SECOND = dt.timedelta(seconds=1)


def told(item: str, key: str = "k", *, user: str | None = None, ended: float | None = None) -> Told:
    return Told(key=key, item=item, user=user, began=NOW, ended=None if ended is None else NOW + ended * SECOND)


async def test_a_session_is_open_until_it_is_told_to_have_ended(session: AsyncSession) -> None:
    ada = await add_user(session, "ada")
    item = await add_item(session, ada)
    await usage_sessions.store(session, [told(item.guid, user=ada.guid)], NOW)
    (row,) = await usage_sessions.listing(session, Asked(), limit=10)
    assert (row.item, row.user, row.began, row.ended) == (item.guid, ada.guid, NOW, None)
    await usage_sessions.store(session, [told(item.guid, user=ada.guid, ended=5)], NOW + 6 * SECOND)
    (row,) = await usage_sessions.listing(session, Asked(), limit=10)
    assert row.ended == NOW + 5 * SECOND


@pytest.mark.parametrize(
    ("rows", "ended", "why"),
    [
        ([(None,), (None,)], None, "a reminder makes no second one"),
        ([(5,)], 5, "control was away while it lasted"),
        ([(5,), (5,)], 5, "the end may come twice"),
        ([(None,), (5,)], 5, "beginning and end in one batch"),
    ],
)
async def test_rows_may_come_as_they_like(
    session: AsyncSession, rows: list[tuple[float | None]], ended: float | None, why: str
) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    for (end,) in rows:
        await usage_sessions.store(session, [told(item.guid, ended=end)], NOW)
    (row,) = await usage_sessions.listing(session, Asked(), limit=10)
    assert row.ended == (None if ended is None else NOW + ended * SECOND), why


async def test_what_is_gone_is_dropped(session: AsyncSession) -> None:
    await usage_sessions.store(session, [told("not-there")], NOW)
    assert await usage_sessions.listing(session, Asked(), limit=10) == []


async def test_a_session_nobody_tells_of_ended_when_it_was_told_of_last(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    later = NOW + usage_sessions.SILENT
    await usage_sessions.store(session, [told(item.guid, "gone"), told(item.guid, "alive")], NOW)
    await usage_sessions.store(session, [told(item.guid, "alive")], later)
    assert await usage_sessions.end_silent(session, later + SECOND) == 1
    found = await usage_sessions.listing(session, Asked(), limit=10)
    assert {row.id: row.ended for row in found} == {found[0].id: NOW, found[1].id: None}


async def test_a_session_thought_over_that_goes_on_is_open_again(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    await usage_sessions.store(session, [told(item.guid)], NOW)
    await usage_sessions.end_silent(session, NOW + 2 * usage_sessions.SILENT)
    await usage_sessions.store(session, [told(item.guid)], NOW + 3 * usage_sessions.SILENT)
    assert [row.ended for row in await usage_sessions.listing(session, Asked(), limit=10)] == [None]


async def test_old_ones_are_forgotten(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "ada"))
    await usage_sessions.store(session, [told(item.guid)], NOW)
    await usage_sessions.prune(session, NOW + dt.timedelta(days=401))
    assert (await session.execute(sa.select(UsageSession))).first() is None


async def test_what_could_not_be_written_is_written_the_next_time(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        item = await add_item(session, await add_user(session, "ada"))

    broken = True

    def sometimes() -> AsyncSession:
        if broken:
            raise sa.exc.OperationalError("", {}, Exception("away"))
        return sessions()

    collected = Collected(sometimes)  # type: ignore[arg-type]
    collected.add(told(item.guid))
    with pytest.raises(sa.exc.OperationalError):
        await collected.write(NOW)
    collected.add(told(item.guid, ended=3))
    broken = False
    await collected.write(NOW)
    async with transaction(sessions) as session:
        assert [row.ended for row in await usage_sessions.listing(session, Asked(), limit=9)] == [NOW + 3 * SECOND]
