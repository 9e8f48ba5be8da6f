"""Schedules become runs: once, on time, not on top of each other, whichever server does it."""

import asyncio
import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from support.database import *  # noqa: F403
from support.moments import NOON, MovedClock
from support.people import person

from rostra.config.sections import Settings
from rostra.content.tables import Item
from rostra.db.engine import session_factory, transaction
from rostra.jobs import queue
from rostra.jobs.queue import Outcome
from rostra.jobs.tables import Task
from rostra.rendering import schedules, variants
from rostra.rendering.schedules import SCHEDULED, Due, Wanted
from rostra.rendering.tables import ScheduleRow

pytestmark = pytest.mark.anyio

HOURLY = Wanted(every="hour", payload='{"N": 1}', start=NOON, zone="UTC")


async def fill(engine: AsyncEngine, count: int = 1, wanted: Wanted = HOURLY) -> None:
    async with transaction(session_factory(engine)) as session:
        ada = await person(session, "ada", NOON)
        for number in range(count):
            item = Item(
                guid=f"guid{number}", owner_id=ada.id, name=f"n{number}", kind="jupyter-static", settings={},
                created_at=NOON, updated_at=NOON, live_bundle_id=1, access_type="acl",
            )  # fmt: skip
            session.add(item)
            await session.flush()
            variant = await variants.default(session, item, NOON)
            await schedules.create(session, variant, wanted, user_id=ada.id, now=NOON - dt.timedelta(minutes=1))


async def tick(engine: AsyncEngine, now: dt.datetime) -> list[str]:
    """Begin what is due as the server does; return a word for each."""
    begun: list[str] = []
    async with transaction(session_factory(engine)) as session:
        await schedules.run_due(session, now, lambda due: start(session, due, now, begun))
    return begun


async def start(session: AsyncSession, due: Due, now: dt.datetime, begun: list[str]) -> None:
    begun.append(due.overlap or due.item.guid)
    if not due.overlap:
        payload = {"variant_id": due.variant.id}
        await queue.enqueue(session, SCHEDULED, payload, now, subject=due.item.guid)


async def finish(engine: AsyncEngine, now: dt.datetime) -> None:
    async with transaction(session_factory(engine)) as session:
        work = await queue.claim(session, worker="w", now=now, lease=dt.timedelta(minutes=1))
        assert work is not None
        await queue.finish(session, work, Outcome(), now)


async def test_a_schedule_runs_when_it_is_due_and_not_before(engine: AsyncEngine) -> None:
    await fill(engine)
    assert await tick(engine, NOON - dt.timedelta(seconds=1)) == []
    assert await tick(engine, NOON) == ["guid0"]
    assert await tick(engine, NOON) == []


async def test_the_schedules_of_items_are_told_in_words(engine: AsyncEngine) -> None:
    await fill(engine, 2)
    async with transaction(session_factory(engine)) as session:
        await session.execute(sa.update(ScheduleRow).where(ScheduleRow.id == 2).values(paused=True))
    async with transaction(session_factory(engine)) as session:
        assert await schedules.by_item(session) == {"guid0": "every hour", "guid1": "every hour (paused)"}


async def test_what_was_missed_runs_once(engine: AsyncEngine) -> None:
    await fill(engine)
    late = NOON + dt.timedelta(hours=7, minutes=20)
    assert await tick(engine, late) == ["guid0"]
    async with transaction(session_factory(engine)) as session:
        assert await schedules.soonest(session) == NOON + dt.timedelta(hours=8)


async def test_a_run_on_top_of_another_is_skipped_with_a_reason(engine: AsyncEngine) -> None:
    await fill(engine)
    clock = MovedClock()
    assert await tick(engine, clock.now()) == ["guid0"]
    assert await tick(engine, clock.move(hours=1)) == [schedules.STILL_WAITING]
    async with transaction(session_factory(engine)) as session:
        assert await queue.claim(session, worker="w", now=clock.now(), lease=dt.timedelta(minutes=1)) is not None
    assert await tick(engine, clock.move(hours=1)) == [schedules.STILL_RUNNING]
    async with transaction(session_factory(engine)) as session:
        await session.execute(sa.update(Task).values(finished_at=clock.now()))
    assert await tick(engine, clock.move(hours=1)) == ["guid0"]


async def test_paused_deleted_and_locked_do_not_run(engine: AsyncEngine) -> None:
    await fill(engine, 3)
    async with transaction(session_factory(engine)) as session:
        row = (await session.execute(sa.select(ScheduleRow).order_by(ScheduleRow.id))).scalars().first()
        assert row is not None
        row.paused, row.next_run = True, None
        await session.execute(sa.update(Item).where(Item.guid == "guid1").values(deleted_at=NOON))
        await session.execute(sa.update(Item).where(Item.guid == "guid2").values(locked=True))
    assert await tick(engine, NOON) == []


async def test_a_crash_before_the_commit_leaves_it_due(engine: AsyncEngine) -> None:
    await fill(engine)
    with pytest.raises(ZeroDivisionError):
        await _dying_tick(engine)
    assert await tick(engine, NOON) == ["guid0"]
    async with transaction(session_factory(engine)) as session:
        assert (await session.execute(sa.select(sa.func.count()).select_from(Task))).scalar_one() == 1


async def _dying_tick(engine: AsyncEngine) -> None:
    async with transaction(session_factory(engine)) as session:
        await schedules.run_due(session, NOON, lambda due: start(session, due, NOON, []))
        raise ZeroDivisionError


async def test_only_so_many_scheduled_runs_at_a_time_and_others_overtake(engine: AsyncEngine) -> None:
    await fill(engine, 5)
    await tick(engine, NOON)
    sessions, lease = session_factory(engine), dt.timedelta(minutes=1)
    async with transaction(sessions) as session:
        await queue.enqueue(session, "deploy", {}, NOON + dt.timedelta(seconds=5), subject="other")
    kinds = []
    for _ in range(4):
        async with transaction(sessions) as session:
            work = await queue.claim(session, worker="w", now=NOON, lease=lease, limits={SCHEDULED: 2})
            kinds.append(None if work is None else work.kind)
    assert kinds == [SCHEDULED, SCHEDULED, "deploy", None]
    async with transaction(sessions) as session:
        assert not await queue.anything_waits(session, NOON, {SCHEDULED: 2})
        assert await queue.anything_waits(session, NOON, {SCHEDULED: 3})


async def test_two_clocks_in_one_process_begin_each_run_once(engine: AsyncEngine) -> None:
    await fill(engine, 30)
    both = await asyncio.gather(*(_all(engine) for _ in range(2)))
    assert sorted(both[0] + both[1]) == sorted(f"guid{number}" for number in range(30))


async def _all(engine: AsyncEngine) -> list[str]:
    begun: list[str] = []
    for _ in range(20):
        begun += await tick(engine, NOON)
    return begun


TICKING = """
import asyncio, datetime as dt, sys
from rostra.config.sections import Database, Postgres, Server, Settings
from rostra.db.engine import open_engine, session_factory, transaction
from rostra.jobs import queue
from rostra.rendering import schedules
from pathlib import Path
now = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)
settings = Settings(server=Server(data_dir=Path(sys.argv[1])), database=Database(provider="postgres"),
                    postgres=Postgres(url=sys.argv[2]))
async def main():
    engine = open_engine(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    count = 0
    for _ in range(40):
        async with transaction(session_factory(engine)) as session:
            async def start(due):
                assert not due.overlap
                payload = {"variant_id": due.variant.id}
                await queue.enqueue(session, schedules.SCHEDULED, payload, now, subject=due.item.guid)
            count += await schedules.run_due(session, now, start, most=3)
    print(count, flush=True)
    await engine.dispose()
asyncio.run(main())
"""


async def test_two_servers_on_one_database_begin_each_run_once(
    engine: AsyncEngine, database_settings: Settings, tmp_path: Path
) -> None:
    if database_settings.database.provider != "postgres":
        pytest.skip("several servers share PostgreSQL")
    await fill(engine, 60)
    command = [sys.executable, "-c", TICKING, str(tmp_path), database_settings.postgres.url]
    servers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for server in servers:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
    for server in servers:
        assert server.stdin is not None
        server.stdin.write("go\n")
        server.stdin.flush()
    counts = [int(server.communicate(timeout=60)[0]) for server in servers]
    assert sum(counts) == 60, counts
    async with transaction(session_factory(engine)) as session:
        subjects = (await session.execute(sa.select(Task.subject))).scalars().all()
    assert sorted(subjects) == sorted(f"guid{number}" for number in range(60))
