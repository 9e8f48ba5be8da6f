"""What fails is told, pauses, and comes back."""

from __future__ import annotations

import pytest
from support.pools import ONE, House, fail_once, settle, until

from rostra.execution.pool import Pools

pytestmark = pytest.mark.anyio


async def test_after_several_failures_visitors_are_told_at_once_until_the_pause_is_over(
    house: House, pools: Pools
) -> None:
    await pools.define(house.spec())
    for _ in range(3):
        await fail_once(house, pools)
    await fail_once(house, pools)
    assert len(house.launcher.launches) == 3
    assert await pools.ask_for_room(ONE) is False
    await house.later(pools, 4)
    house.command = ("serve",)
    await pools.ensure(ONE)
    assert len(house.launcher.launches) == 4


async def test_something_new_forgets_the_failures_of_the_old(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    for _ in range(3):
        await fail_once(house, pools)
    house.command = ("serve",)
    await pools.define(house.spec("2"))
    await pools.ensure(ONE)


async def test_a_crash_is_announced_at_once(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    house.launcher.crash(member.key)
    await settle()
    assert house.members() == []
    assert house.records == [("started", member.key), ("ended", (member.key, 1, False))]


async def test_a_crash_while_in_use_is_repaired_after_a_pause(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    pools.loads(ONE, {member.key: 3})
    house.launcher.crash(member.key)
    await settle()
    await house.later(pools, 0.5)
    assert len(house.launcher.launches) == 1
    await house.later(pools, 0.5)
    await until(lambda: len(house.members()) == 1)


async def test_what_ends_with_its_keeper_has_not_failed(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    for _ in range(5):
        member = await pools.ensure(ONE)
        pools.loads(ONE, {member.key: 1})
        house.launcher.crash(member.key, -9, lost=True)
        await settle()
        assert house.members() == []
        assert pools.condition(ONE) == (False, None)
    await house.later(pools, 0)  # somebody used it: it comes back at once
    assert len(house.members()) == 1


async def test_a_crash_of_an_unused_process_waits_for_the_next_visitor(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    house.launcher.crash((await pools.ensure(ONE)).key)
    await settle()
    await house.later(pools, 100)
    assert len(house.launcher.launches) == 1


async def test_quick_crashes_lengthen_the_pause_and_a_steady_process_ends_it(house: House, pools: Pools) -> None:
    await pools.define(house.spec(min_processes=1))
    starts = [0]
    for pause in (1, 2, 4):
        await house.later(pools, pause)
        await until(lambda: len(house.members()) == 1)
        starts.append(len(house.launcher.launches))
        house.launcher.crash(house.members()[0])
        await settle()
    assert starts == [0, 1, 2, 3]
    await house.later(pools, 3)  # 4 s after the third crash
    assert len(house.launcher.launches) == 3
    await house.later(pools, 1)
    await until(lambda: len(house.members()) == 1)
    await house.later(pools, 31)
    house.launcher.crash(house.members()[0])
    await settle()
    await house.later(pools, 1)
    await until(lambda: len(house.members()) == 1)
