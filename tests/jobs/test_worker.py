import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Mapping

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from rostra.clock import SystemClock
from rostra.db.engine import reading_factory, session_factory, transaction
from rostra.errors import Invalid
from rostra.jobs import output, queue
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Work
from rostra.jobs.tables import Task
from rostra.jobs.tasks import STOPPED, NoSuchTask, Tasks, View
from rostra.jobs.worker import Handler, Workers, understandable

pytestmark = pytest.mark.anyio


@pytest.fixture
def tasks(engine: AsyncEngine) -> Tasks:
    return Tasks(session_factory(engine), reading_factory(engine), SystemClock())


@contextlib.asynccontextmanager
async def working(tasks: Tasks, handler: Handler, **more: object) -> AsyncIterator[asyncio.Task[None]]:
    workers = Workers(tasks, {"do": handler}, node="here", idle_seconds=0.05, **more)  # type: ignore[arg-type]
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(workers.run())
        yield running
        running.cancel()


async def start(tasks: Tasks, subject: str | None = None, kind: str = "do") -> str:
    async with transaction(tasks.sessions) as session:
        return await tasks.enqueue(session, kind, {"x": 1}, subject=subject)


async def ended(tasks: Tasks, task_id: str) -> View:
    async with asyncio.timeout(15):
        while not (seen := await tasks.view(task_id, wait=5)).finished:
            pass
    return seen


async def test_a_task_is_done_and_its_result_kept(tasks: Tasks) -> None:
    async def handler(work: Work, log: TaskLog) -> Mapping[str, object]:
        log.say("hello\nworld")
        return {"type": "answer", "data": work.payload["x"]}

    async with working(tasks, handler):
        seen = await ended(tasks, await start(tasks))
    assert (seen.lines, seen.exit_code, seen.error) == (("hello", "world"), 0, "")
    assert seen.result == {"type": "answer", "data": 1}


async def test_a_problem_is_told_to_the_client(tasks: Tasks) -> None:
    async def handler(work: Work, log: TaskLog) -> None:
        log.say("before")
        raise Invalid("no good", hint="Do better.")

    async with working(tasks, handler):
        seen = await ended(tasks, await start(tasks))
    assert (seen.lines, seen.exit_code, seen.error) == (("before",), 1, "no good. Do better.")


async def test_a_bug_is_told_to_nobody(tasks: Tasks, capsys: pytest.CaptureFixture[str]) -> None:
    async def handler(work: Work, log: TaskLog) -> None:
        raise KeyError("the inner workings")

    async with working(tasks, handler):
        seen = await ended(tasks, await start(tasks))
    assert seen.exit_code == 1
    assert "inner workings" not in seen.error
    assert seen.id in seen.error
    assert "inner workings" in capsys.readouterr().out


async def test_a_kind_nobody_handles_ends_too(tasks: Tasks) -> None:
    async def handler(work: Work, log: TaskLog) -> None: ...

    async with working(tasks, handler):
        assert (await ended(tasks, await start(tasks, kind="unheard-of"))).exit_code == 1


def test_a_problem_is_found_inside_groups() -> None:
    problem = Invalid("x")
    assert understandable(ExceptionGroup("", [KeyError(), ExceptionGroup("", [problem])])) is problem
    assert understandable(ValueError()) is None


async def test_looking_waits_for_the_next_line_not_for_the_timeout(tasks: Tasks) -> None:
    go = asyncio.Event()

    async def handler(work: Work, log: TaskLog) -> None:
        log.say("one")
        await go.wait()
        log.say("two")

    async with working(tasks, handler):
        task = await start(tasks)
        first = await tasks.view(task, first=0, wait=10)
        assert (first.lines, first.last, first.finished) == (("one",), 1, False)
        waiting = asyncio.ensure_future(tasks.view(task, first=1, wait=10))
        await asyncio.sleep(0)
        assert not waiting.done()
        go.set()
        assert (await waiting).lines == ("two",)


async def test_looking_without_an_offset_waits_for_a_change(tasks: Tasks) -> None:
    go = asyncio.Event()

    async def handler(work: Work, log: TaskLog) -> None:
        log.say("one")
        await go.wait()

    async with working(tasks, handler):
        task = await start(tasks)
        await tasks.view(task, first=0, wait=10)
        waiting = asyncio.ensure_future(tasks.view(task, wait=10))
        await asyncio.sleep(0.05)
        assert not waiting.done(), "a client that repeats this must not spin"
        go.set()
        seen = await waiting
        assert (seen.lines, seen.finished) == (("one",), True)


async def test_a_finished_task_is_never_waited_for(tasks: Tasks) -> None:
    async def handler(work: Work, log: TaskLog) -> None: ...

    async with working(tasks, handler):
        task = await start(tasks)
        await ended(tasks, task)
        async with asyncio.timeout(5):
            assert (await tasks.view(task, first=99, wait=30)).last == 0


async def test_an_unknown_task_is_said(tasks: Tasks) -> None:
    with pytest.raises(NoSuchTask):
        await tasks.view("nothing", wait=30)


async def test_one_subject_never_runs_twice_at_once(tasks: Tasks) -> None:
    inside, most, order = 0, 0, []

    async def handler(work: Work, log: TaskLog) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        order.append(work.id)
        await asyncio.sleep(0.01)
        inside -= 1

    async with working(tasks, handler):
        started = [await start(tasks, "item") for _ in range(5)]
        for task in started:
            await ended(tasks, task)
    assert most == 1
    assert order == started


async def test_different_subjects_do_not_wait_for_each_other(tasks: Tasks) -> None:
    both = asyncio.Barrier(2)

    async def handler(work: Work, log: TaskLog) -> None:
        await both.wait()

    async with working(tasks, handler):
        for task in [await start(tasks, "a"), await start(tasks, "b")]:
            assert (await ended(tasks, task)).exit_code == 0


async def test_a_long_task_keeps_its_lease(tasks: Tasks) -> None:
    begun = 0

    async def handler(work: Work, log: TaskLog) -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(6)

    async with working(tasks, handler, lease=dt.timedelta(seconds=3)):  # short, and room for a machine that is busy
        assert (await ended(tasks, await start(tasks))).exit_code == 0
    assert begun == 1


async def test_a_worker_whose_lease_was_taken_stops(tasks: Tasks) -> None:
    cancelled, begun = asyncio.Event(), asyncio.Event()

    async def handler(work: Work, log: TaskLog) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    async with working(tasks, handler, lease=dt.timedelta(seconds=0.4), count=1):
        await start(tasks)
        await begun.wait()
        async with transaction(tasks.sessions) as session:
            away = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
            await session.execute(sa.update(Task).values(worker="elsewhere/x/0", leased_until=away))
        await cancelled.wait()


async def test_stopping_hands_the_task_to_the_next_start(tasks: Tasks) -> None:
    begun = asyncio.Event()

    async def stuck(work: Work, log: TaskLog) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def handler(work: Work, log: TaskLog) -> None:
        log.say(f"attempt {work.attempt}")

    with contextlib.suppress(asyncio.CancelledError):
        async with working(tasks, stuck):
            task = await start(tasks)
            await begun.wait()
    async with working(tasks, handler):
        assert (await ended(tasks, task)).lines == ("attempt 1",)


async def test_output_is_bounded(tasks: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MOST_LINES", 5)

    async def handler(work: Work, log: TaskLog) -> None:
        for number in range(100):
            log.say(str(number))
            if number == 3:
                await asyncio.sleep(0.2)

    async with working(tasks, handler):
        seen = await ended(tasks, await start(tasks))
    assert seen.lines == ("0", "1", "2", "3", "4", "(Further output is not kept: 5 lines are.)")


async def test_secrets_a_handler_names_are_hidden(tasks: Tasks) -> None:
    async def handler(work: Work, log: TaskLog) -> None:
        log.hide("hush")
        log.say("the value is hush")

    async with working(tasks, handler):
        assert (await ended(tasks, await start(tasks))).lines == ("the value is ***",)


async def stop(tasks: Tasks, task_id: str) -> bool:
    async with transaction(tasks.sessions) as session:
        return await tasks.stop(session, task_id)


async def test_a_task_that_is_asked_to_stop_cleans_up_and_says_so(tasks: Tasks) -> None:
    begun, cleaned = asyncio.Event(), asyncio.Event()

    async def handler(work: Work, log: TaskLog) -> None:
        log.say("working")
        begun.set()
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    async with working(tasks, handler, count=1):
        task_id, other = await start(tasks, "a"), await start(tasks, "a")
        await begun.wait()
        begun.clear()
        assert not await stop(tasks, task_id)
        seen = await ended(tasks, task_id)
        assert cleaned.is_set()
        assert (seen.lines, seen.exit_code, seen.error) == (("working", STOPPED), 1, STOPPED)
        await begun.wait()  # the next one of the subject has its turn
        await stop(tasks, other)
        await ended(tasks, other)


async def test_a_task_that_waits_is_stopped_at_once_and_never_begins(tasks: Tasks) -> None:
    begun: list[str] = []

    async def handler(work: Work, log: TaskLog) -> None:
        begun.append(work.id)

    task_id = await start(tasks)
    assert await stop(tasks, task_id)
    seen = await tasks.view(task_id)
    assert (seen.finished, seen.exit_code, seen.error) == (True, 1, STOPPED)
    async with working(tasks, handler):
        await ended(tasks, await start(tasks))
    assert task_id not in begun


async def test_a_task_that_has_ended_cannot_be_stopped(tasks: Tasks) -> None:
    async def handler(work: Work, log: TaskLog) -> None:
        return None

    async with working(tasks, handler):
        task_id = await start(tasks)
        await ended(tasks, task_id)
        await stop(tasks, task_id)
        assert (await tasks.view(task_id)).exit_code == 0


async def test_what_should_stop_is_not_begun_again_after_a_crash(tasks: Tasks) -> None:
    now = tasks.clock.now()
    task_id = await start(tasks)
    async with transaction(tasks.sessions) as session:
        await queue.claim(session, worker="here/dead/0", now=now, lease=dt.timedelta(seconds=60))
    assert not await stop(tasks, task_id)
    begun: list[str] = []

    async def handler(work: Work, log: TaskLog) -> None:
        begun.append(work.id)

    async with working(tasks, handler):  # takes back what the dead worker had
        seen = await ended(tasks, task_id)
    assert (seen.exit_code, seen.error, begun) == (1, STOPPED, [])
