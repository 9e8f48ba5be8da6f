"""Processes start when they are asked for, as many as are needed."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt

import pytest
from support.pools import ONE, House, settle, until

from rostra.errors import Gone
from rostra.execution.keeper_client import KeeperAway
from rostra.execution.launcher import Launch, Running
from rostra.execution.pool import Member, NoSuchPool, Pools, StartFailed
from rostra.ids import ProcessKey, new_key

pytestmark = pytest.mark.anyio


# Starting


async def test_the_first_visitor_starts_a_process_and_is_told_where_it_is(house: House, pools: Pools) -> None:
    await pools.define(house.spec(max_conns_per_process=7))
    assert house.announced[ONE] == ((), 3)
    member = await pools.ensure(ONE)
    (launch,) = house.launcher.launches
    assert member == Member(launch.key, launch.socket, 7)
    assert house.announced[ONE] == ((member,), 3)
    assert dict(launch.labels) == {"bundle": "1", "pool": "one", "log": str(launch.log)}


async def test_any_number_of_visitors_wait_for_one_start(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    members = await asyncio.gather(*(pools.ensure(ONE) for _ in range(50)))
    assert len(set(members)) == len(house.launcher.launches) == 1


async def test_a_visitor_who_leaves_does_not_end_the_start(house: House, pools: Pools) -> None:
    house.command = ("silent",)
    await pools.define(house.spec())
    leaves, stays = asyncio.create_task(pools.ensure(ONE)), asyncio.create_task(pools.ensure(ONE))
    await until(lambda: house.launcher.launches)
    leaves.cancel()
    await settle()
    house.launcher.listen(house.launcher.launches[0].key)
    assert (await stays).key == house.launcher.launches[0].key


async def test_a_second_visitor_gets_the_process_there_is(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    assert await pools.ensure(ONE) == await pools.ensure(ONE)
    assert len(house.launcher.launches) == 1


async def test_an_unknown_pool_is_an_error(pools: Pools) -> None:
    with pytest.raises(NoSuchPool):
        await pools.ensure(ONE)
    assert await pools.ask_for_room(ONE) is False


async def test_an_early_end_says_how_and_what_was_written(house: House, pools: Pools) -> None:
    house.command = ("silent",)
    await pools.define(house.spec())
    visit = asyncio.create_task(pools.ensure(ONE))
    await until(lambda: house.launcher.launches)
    house.launcher.crash(house.launcher.launches[0].key, 3, says="ModuleNotFoundError: no module named 'dash'")
    with pytest.raises(StartFailed, match="ended with status 3") as caught:
        await visit
    assert caught.value.exit_code == 3
    assert caught.value.lines[-1].text == "ModuleNotFoundError: no module named 'dash'"
    assert caught.value.process == house.launcher.launches[0].key


async def test_a_process_that_never_listens_is_ended_and_said_so(house: House, pools: Pools) -> None:
    house.command = ("silent",)
    await pools.define(dataclasses.replace(house.spec(), init_timeout=dt.timedelta(milliseconds=20)))
    with pytest.raises(StartFailed, match=r"did not accept a connection within 0\.02 s") as caught:
        await pools.ensure(ONE)
    assert caught.value.exit_code is None
    assert await house.launcher.running() == ()


async def test_a_launcher_that_refuses_is_passed_on(house: House, pools: Pools) -> None:
    house.launcher.refuse = "no room on this host"
    await pools.define(house.spec())
    with pytest.raises(Exception, match="no room on this host"):
        await pools.ensure(ONE)


async def test_what_never_began_is_ended_as_well(house: House, pools: Pools) -> None:
    """What was made ready for it, such as its key, ends with it."""
    house.launcher.refuse = "no room on this host"
    launch = await house.make_launch(ProcessKey(new_key()))
    with pytest.raises(Exception, match="no room on this host"):
        await pools.prove(launch)
    await until(lambda: house.records == [("ended", (launch.key, -1, True))])


async def test_a_problem_with_making_the_launch_is_passed_on(house: House, pools: Pools) -> None:
    async def no_python(key: ProcessKey) -> Launch:
        raise Gone("Python 3.8 is not installed any more")

    await pools.define(dataclasses.replace(house.spec(), make_launch=no_python))
    with pytest.raises(Gone):
        await pools.ensure(ONE)


async def test_a_bug_in_making_the_launch_does_not_stop_the_pools(house: House, pools: Pools) -> None:
    async def bug(key: ProcessKey) -> Launch:
        raise ZeroDivisionError

    await pools.define(dataclasses.replace(house.spec(), make_launch=bug))
    with pytest.raises(StartFailed, match="the server failed"):
        await pools.ensure(ONE)
    await pools.define(house.spec("2"))
    await pools.ensure(ONE)


async def test_a_keeper_that_is_away_is_not_the_contents_fault(house: House, pools: Pools) -> None:
    async def away(launch: Launch) -> Running:
        raise KeeperAway

    await pools.define(house.spec())
    starting, house.launcher.start = house.launcher.start, away  # type: ignore[method-assign]
    for _ in range(5):
        with pytest.raises(KeeperAway):
            await pools.ensure(ONE)
    house.launcher.start = starting  # type: ignore[method-assign]
    await pools.ensure(ONE)


# How many


async def test_room_is_made_up_to_the_maximum(house: House, pools: Pools) -> None:
    await pools.define(house.spec(max_processes=2))
    await pools.ensure(ONE)
    assert await pools.ask_for_room(ONE) is True
    assert await pools.ask_for_room(ONE) is False
    assert len(house.members()) == 2


async def test_many_who_ask_for_room_get_one_process(house: House, pools: Pools) -> None:
    await pools.define(house.spec(max_processes=5))
    assert await asyncio.gather(*(pools.ask_for_room(ONE) for _ in range(20))) == [True] * 20
    assert len(house.launcher.launches) == 1


async def test_a_crowd_gets_another_process_before_it_is_full(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    pools.loads(ONE, {member.key: 10})
    await settle()
    assert len(house.launcher.launches) == 1
    pools.loads(ONE, {member.key: 11})
    await until(lambda: len(house.members()) == 2)
    assert house.members()[0] != member.key  # the least busy first


async def test_the_minimum_is_kept_running(house: House, pools: Pools) -> None:
    await pools.define(house.spec(min_processes=2))
    await pools.tick()
    await until(lambda: len(house.members()) == 1)
    await pools.tick()
    await until(lambda: len(house.members()) == 2)
    await house.later(pools, 100_000)
    assert len(house.members()) == 2


async def test_an_idle_process_is_ended(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    await house.later(pools, 119)
    assert house.members() == [member.key]
    await house.later(pools, 1)
    assert house.members() == []
    assert house.launcher.stopped == []  # somebody may just have been sent there
    await house.later(pools, 1)
    assert house.launcher.stopped == [member.key]
    assert house.records[-1] == ("ended", (member.key, -15, True))


async def test_a_visitor_who_came_in_the_last_moment_is_served_to_the_end(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    await house.later(pools, 120)
    pools.loads(ONE, {member.key: 1})
    await house.later(pools, 60)
    assert house.launcher.stopped == []
    pools.loads(ONE, {member.key: 0})
    await house.later(pools, 1)
    assert house.launcher.stopped == [member.key]


async def test_a_process_with_a_connection_is_not_idle(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    pools.loads(ONE, {member.key: 1})
    await house.later(pools, 100_000)
    pools.loads(ONE, {member.key: 0})
    await house.later(pools, 119)
    assert house.members() == [member.key]


async def test_a_gateway_that_connects_says_all_there_is(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    pools.loads(ONE, {member.key: 5})
    pools.hello({})
    await house.later(pools, 120)
    assert house.members() == []


async def test_a_process_that_cannot_be_reached_is_ended(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    pools.unreachable(member.key)
    await settle()
    assert house.members() == [member.key]  # it does answer
    house.launcher.deafen(member.key)
    pools.unreachable(member.key)
    await settle()
    assert house.members() == []
    assert await house.launcher.running() == ()


async def test_all_that_went_deaf_together_are_left_out_at_once(house: House, pools: Pools) -> None:
    await pools.define(house.spec(max_processes=2))
    first = await pools.ensure(ONE)
    assert await pools.ask_for_room(ONE)
    for key in house.members():
        house.launcher.deafen(key)
    pools.unreachable(first.key)
    assert house.members() == []  # before anybody had time to end them
    assert (await pools.ensure(ONE)).key != first.key
    assert len(house.members()) == 1


async def test_the_place_of_one_that_just_died_is_taken_at_once(house: House, pools: Pools) -> None:
    await pools.define(house.spec(max_processes=1))
    member = await pools.ensure(ONE)
    house.launcher.deafen(member.key)  # its end has not been told yet
    assert await pools.ask_for_room(ONE)
    assert house.members() not in ([], [member.key])
