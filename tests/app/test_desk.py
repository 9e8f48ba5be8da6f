"""What the dashboard is shown, and what it may do."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from support.controlling import World, until

from rostra.app.desk import Desk, NothingRuns, _as_linked
from rostra.auth.principals import Principal, Role, Via
from rostra.auth.tables import User
from rostra.content.errors import ItemNotFound
from rostra.db.engine import transaction
from rostra.errors import Forbidden, NotFound, NotSignedIn
from rostra.jobs import queue
from rostra.jobs.tables import Task
from rostra.web.views import Progress, State

pytestmark = pytest.mark.anyio


def desk(world: World) -> Desk:
    return world.control.desk


async def principal(world: World, name: str) -> Principal:
    async with transaction(world.control.tools.reading) as session:
        user = (await session.execute(sa.select(User).where(User.username == name))).scalar_one()
    return Principal(user_id=user.id, guid=user.guid, username=name, role=Role(user.role), via=Via.session)


@contextmanager
def counted(world: World) -> Iterator[list[str]]:
    """Collect the statements that are run meanwhile."""
    seen: list[str] = []
    engine = world.control.tools.reading.kw["bind"].sync_engine

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "FROM items" in statement:  # workers look for tasks meanwhile
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


async def test_the_list_has_what_one_may_change_and_costs_the_same_however_long(world: World) -> None:
    guids = [await world.item() for _ in range(12)]
    await world.api("POST", "content", {}, name="bob")
    vic = (await world.api("GET", "user", name="vic"))["guid"]
    bob = (await world.api("GET", "user", name="bob"))["guid"]
    for who, role in ((vic, "viewer"), (bob, "owner")):
        body = {"principal_guid": who, "principal_type": "user", "role": role}
        await world.api("POST", f"content/{guids[0]}/permissions", body)
    with counted(world) as statements:
        mine = await desk(world).my_content(await principal(world, "ada"))
    assert {row.guid for row in mine} == set(guids)
    assert len(statements) == 1
    assert guids[0] in {row.guid for row in await desk(world).my_content(await principal(world, "bob"))}
    assert await desk(world).my_content(await principal(world, "vic")) == []
    assert len(await desk(world).my_content(await principal(world, "root"))) == 13


async def test_the_page_of_an_item_shows_more_to_those_who_may_change_it(world: World) -> None:
    guid = await world.published(title="Sales")
    own = await desk(world).item(await principal(world, "ada"), guid)
    assert (own.row.title, own.row.state, own.row.python, own.may_change) == ("Sales", State.running, "3.11.7", True)
    assert [bundle.live for bundle in own.bundles] == [True]
    assert [process.key for process in own.processes] == world.running(guid)
    other = await desk(world).item(await principal(world, "vic"), guid)
    assert (other.may_change, other.bundles, other.processes) == (False, (), ())
    with pytest.raises(ItemNotFound):
        await desk(world).item(await principal(world, "bob"), await world.item("acl"))


async def test_the_people_of_an_item_are_named(world: World) -> None:
    guid, vic = await world.item("acl"), (await world.api("GET", "user", name="vic"))["guid"]
    body = {"principal_guid": vic, "principal_type": "user", "role": "viewer"}
    await world.api("POST", f"content/{guid}/permissions", body)
    assert (await desk(world).item(await principal(world, "ada"), guid)).people == ("vic",)


async def test_logs_are_for_those_who_may_change_the_item(world: World) -> None:
    guid = await world.published()
    ada = await principal(world, "ada")
    page = await desk(world).logs(ada, guid, None, None)
    build = next(job for job in page.jobs if job.what == "build")
    chosen = await desk(world).logs(ada, guid, build.key, None)
    assert any("Building" in line for line in chosen.lines)
    later = await desk(world).logs(ada, guid, build.key, chosen.next)
    assert (later.lines, later.cut) == ((), False)
    with pytest.raises(NotFound):
        await desk(world).logs(ada, guid, "no-such-job", None)
    with pytest.raises(Forbidden):
        await desk(world).logs(await principal(world, "vic"), guid, None, None)


async def test_a_task_is_shown_to_whoever_began_it(world: World) -> None:
    guid = await world.published()
    ada = await principal(world, "ada")
    task = (await world.api("POST", f"content/{guid}/deploy", {}))["task_id"]
    await world.finished(task)
    page = await desk(world).task(ada, task, 0)
    assert (page.title, page.finished, page.error, page.guid) == ("Deploy", True, "", guid)
    assert page.next == len(page.lines) > 0
    assert page.job is None, "what has ended cannot be stopped"
    with pytest.raises(NotFound):
        await desk(world).task(await principal(world, "bob"), task, 0)


@pytest.mark.parametrize(
    ("subject", "who", "stops"), [("item", "ada", True), ("item", "vic", False), ("", "ada", False)]
)
async def test_a_task_is_stopped_by_who_may_change_what_it_is_for(
    world: World, subject: str, who: str, stops: bool
) -> None:
    guid, person = await world.document("logged_in"), await principal(world, who)
    now, about = world.control.tools.clock.now(), guid if subject else "rehearsals"
    async with transaction(world.control.tools.sessions) as session:
        task = await queue.enqueue(session, "render", {"job": "key"}, now, subject=about, user_id=person.user_id)
        taken = {"started_at": now, "leased_until": now + dt.timedelta(days=1), "worker": "another server's"}
        await session.execute(sa.update(Task).where(Task.id == task).values(**taken))
    page = await desk(world).task(person, task, 0)
    assert (page.title, page.finished) == ("Render", False)
    assert (page.guid, page.job) == (guid if subject else None, "key" if stops else None)


async def test_who_waits_hears_how_far_it_is(world: World) -> None:
    guid = await world.published("logged_in")
    assert (await desk(world).waiting(await principal(world, "vic"), guid)).state is Progress.ready
    world.house.launcher.crash(world.running(guid)[0], lost=True)
    await until(lambda: not world.running(guid))
    world.house.shelves.gate = asyncio.Event()
    starting = asyncio.ensure_future(world.control.tools.pools.ensure(world.pool(guid)))
    await until(lambda: world.control.tools.pools.condition(world.pool(guid))[0])
    await until(lambda: world.house.shelves.asked > 1)
    for name, lines in (("vic", False), ("ada", True)):
        told = await desk(world).waiting(await principal(world, name), guid)
        assert (told.state, bool(told.lines)) == (Progress.starting, lines)
    with pytest.raises(NotSignedIn):
        await desk(world).waiting(None, guid)
    world.house.shelves.gate.set()
    await starting
    assert (await desk(world).waiting(await principal(world, "vic"), guid)).state is Progress.ready


async def test_who_waits_for_nothing_is_told(world: World) -> None:
    guid = await world.static({"index.html": "x"})
    with pytest.raises(NothingRuns):
        await desk(world).waiting(await principal(world, "ada"), guid)


async def test_a_failure_is_told_to_who_waits(world: World) -> None:
    guid = await world.published()
    await world.crashes(guid, code=7)
    told = await desk(world).waiting(await principal(world, "ada"), guid)
    assert told.state is Progress.failed
    assert "status 7" in told.phase
    assert (await desk(world).item(await principal(world, "ada"), guid)).row.state is State.failed


@pytest.mark.parametrize(
    ("path", "target", "shown"),
    [
        ("/opt/python/3.12.1/bin/python3", "/opt/python/3.12.1/bin/python3.12", "python3.12"),
        ("/usr/local/bin/python3", "/opt/python/3.12.1/bin/python3.12", "/opt/python/3.12.1/bin/python3.12"),
        ("/usr/bin/python3.11", "/usr/bin/python3.11", "/usr/bin/python3.11"),
    ],
)
def test_where_a_link_leads_is_said_in_short(path: str, target: str, shown: str) -> None:
    assert _as_linked(Path(path), Path(target)) == shown
