"""Reserved bundles whose task is gone, on databases that several servers share."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from support.items import add_item, add_user
from support.moments import NOON

from rostra.app import git_work
from rostra.content import bundles
from rostra.content.tables import Bundle, Item
from rostra.db.engine import Sessions, transaction
from rostra.jobs.tables import Task

pytestmark = pytest.mark.anyio


async def reserved(sessions: Sessions, item_id: int, *, finished: bool = False) -> int:
    """Reserve a bundle with its task, as a request does."""
    async with transaction(sessions) as session:
        item = await session.get(Item, item_id)
        assert item is not None
        row = await bundles.reserve(session, item, None, NOON)
        done = NOON if finished else None
        told = {"bundle_id": row.id}
        session.add(Task(id=f"t{row.id}", kind=git_work.BUNDLE, payload=told, created_at=NOON, finished_at=done))
        return row.id


async def test_what_another_server_reserves_meanwhile_stays(
    engine: AsyncEngine, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with transaction(sessions) as session:
        item_id = (await add_item(session, await add_user(session, "ada"))).id
    lost = await reserved(sessions, item_id, finished=True)
    kept = await reserved(sessions, item_id)
    if engine.dialect.name == "sqlite":  # nobody else writes while this transaction lasts
        async with transaction(sessions) as session:
            assert await git_work.forget_unfilled(session) == 1
        assert lost not in await left(sessions)
        return
    async with transaction(sessions) as session:
        execute, late = session.execute, []

        async def then_another(*told: object, **more: object) -> object:
            result = await execute(*told, **more)  # type: ignore[arg-type]
            late.append(await reserved(sessions, item_id))
            return result

        monkeypatch.setattr(session, "execute", then_another)
        assert await git_work.forget_unfilled(session) == 1
    assert await left(sessions) == [kept, *late]


async def left(sessions: Sessions) -> list[int]:
    async with transaction(sessions) as session:
        return list((await session.execute(sa.select(Bundle.id).order_by(Bundle.id))).scalars())
