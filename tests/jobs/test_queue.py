import asyncio
import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.moments import NOON

from rostra.db.engine import Sessions, transaction
from rostra.ids import TaskId
from rostra.jobs import queue
from rostra.jobs.queue import Outcome, Work
from rostra.jobs.tables import Task

pytestmark = pytest.mark.anyio
LEASE = dt.timedelta(seconds=60)
SECOND = dt.timedelta(seconds=1)


async def add(session: AsyncSession, number: int = 0, subject: str | None = None) -> TaskId:
    return await queue.enqueue(session, "echo", {"n": number}, NOON + number * SECOND, subject=subject)


async def take(session: AsyncSession, now: dt.datetime = NOON, worker: str = "node/a/0") -> Work | None:
    return await queue.claim(session, worker=worker, now=now, lease=LEASE)


async def must_take(session: AsyncSession, now: dt.datetime = NOON, worker: str = "node/a/0") -> Work:
    taken = await take(session, now, worker)
    assert taken is not None
    return taken


async def test_the_oldest_is_taken_first(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        for number in (2, 0, 1):
            await add(session, number)
        assert [(await must_take(session)).payload["n"] for _ in range(3)] == [0, 1, 2]
        assert await take(session) is None


async def test_people_take_turns(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        for number, user in enumerate((1, 1, 1, 2, 2, 3)):
            await queue.enqueue(session, "echo", {"n": number}, NOON + number * SECOND, user_id=user)
        taken = [(await must_take(session, NOON + n * SECOND)).user_id for n in range(6)]
        assert taken == [1, 2, 3, 1, 2, 1]


async def test_turns_are_counted_for_each_kind(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await queue.enqueue(session, "render", {}, NOON, user_id=1)
        await must_take(session)
        await queue.enqueue(session, "deploy", {}, NOON + SECOND, user_id=1)
        await queue.enqueue(session, "deploy", {}, NOON + 2 * SECOND, user_id=2)
        assert (await must_take(session, NOON + SECOND)).user_id == 1


async def test_a_rolled_back_task_never_was(sessions: Sessions) -> None:
    async with sessions() as session:
        await add(session)
        await session.rollback()
    async with transaction(sessions) as session:
        assert await take(session) is None


async def test_a_taken_task_is_not_taken_again_until_its_lease_ends(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await add(session)
        first = await must_take(session)
        assert await take(session, NOON + LEASE - SECOND) is None
        second = await must_take(session, NOON + LEASE)
        assert (first.id, first.attempt, second.attempt) == (second.id, 1, 2)


async def test_one_subject_runs_one_at_a_time_in_order(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        for number in range(3):
            await add(session, number, "item")
        await add(session, 9, "other")
        first, other = await must_take(session), await must_take(session)
        assert (first.payload["n"], other.payload["n"]) == (0, 9)
        assert await take(session) is None
        await queue.finish(session, first, Outcome(), NOON)
        assert (await must_take(session)).payload["n"] == 1


async def test_order_holds_when_the_clock_stands_still_or_goes_back(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        made = [await queue.enqueue(session, "echo", {}, NOON - n * SECOND, subject="item") for n in range(4)]
        for task in made:
            work = await must_take(session, NOON + LEASE)
            assert work.id == task
            await queue.finish(session, work, Outcome(), NOON)


async def test_a_later_task_that_claims_to_be_older_waits_all_the_same(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await add(session, 5, "item")
        await must_take(session)
        late = await add(session, 0, "item")
        early = NOON - SECOND  # a transaction that was slow to commit, or another machine's clock
        await session.execute(sa.update(Task).where(Task.id == late).values(created_at=early))
        assert await take(session) is None


@pytest.mark.parametrize("subject", [None, "same"])
async def test_rivals_never_take_the_same(subject: str | None, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        for number in range(6):
            await add(session, number, subject)

    async def rival(name: str) -> list[str]:
        taken = []
        for _ in range(4):
            async with transaction(sessions) as session:
                work = await take(session, worker=name)
            if work is not None:
                taken.append(work.id)
        return taken

    per_rival = await asyncio.gather(*(rival(f"node/{n}") for n in range(4)))
    taken = [task for one in per_rival for task in one]
    assert len(taken) == len(set(taken)) == (6 if subject is None else 1)


async def test_only_the_one_who_has_it_may_end_it(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await add(session)
        slow = await must_take(session)
        quick = await must_take(session, NOON + LEASE, "node/b/0")
        assert not await queue.finish(session, slow, Outcome(exit_code=1), NOON)
        assert not await queue.renew(session, slow, now=NOON, lease=LEASE)
        assert not await queue.give_back(session, slow)
        assert await queue.owns(session, quick)
        assert await queue.finish(session, quick, Outcome(result={"type": "t", "data": 1}), NOON)
        assert not await queue.owns(session, quick)
        assert await take(session, NOON + 9 * LEASE) is None


async def test_renewing_keeps_it(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await add(session)
        work = await must_take(session)
        assert await queue.renew(session, work, now=NOON + LEASE / 2, lease=LEASE)
        assert await take(session, NOON + LEASE) is None


async def test_what_was_given_back_is_taken_again_without_counting(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await add(session)
        assert await queue.give_back(session, await must_take(session))
        assert (await must_take(session)).attempt == 1


async def test_a_restart_takes_back_only_its_own(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        mine, other = await add(session, 0), await add(session, 1)
        await must_take(session, worker="node_1/a/0")
        await must_take(session, worker="nodeX1/a/0")
        assert await queue.reclaim(session, "node_1") == [mine]
        assert await queue.reclaim(session, "nodeX1") == [other]


async def test_three_crashes_are_enough(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        task = await add(session, subject="item")
        behind = await add(session, 1, subject="item")
        for attempt in range(3):
            assert (await must_take(session, NOON + attempt * LEASE)).attempt == attempt + 1
            assert await queue.give_up(session, NOON + attempt * LEASE) == []
        later = NOON + 3 * LEASE
        assert await take(session, later) is None
        assert await queue.give_up(session, later) == [task]
        row = await session.get(Task, task, populate_existing=True)
        assert row is not None
        assert row.exit_code == 1
        assert "not tried again" in row.error
        assert (await must_take(session, later)).id == behind, "the next of its subject is free"


async def test_finished_tasks_are_kept_for_a_while(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await add(session)
        await queue.finish(session, await must_take(session), Outcome(), NOON)
        counted = sa.select(sa.func.count()).select_from(Task)
        await queue.prune(session, NOON + queue.KEPT)
        assert (await session.execute(counted)).scalar_one() == 1
        await queue.prune(session, NOON + queue.KEPT + SECOND)
        assert (await session.execute(counted)).scalar_one() == 0


async def test_asking_whether_anything_waits_agrees_with_taking(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        assert not await queue.anything_waits(session, NOON)
        await add(session)
        assert await queue.anything_waits(session, NOON)
        await must_take(session)
        assert not await queue.anything_waits(session, NOON)
