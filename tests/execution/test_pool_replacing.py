"""Something new takes the place of the old, also over a restart of the server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

import pytest
from support.pools import ONE, House, settle, until

from rostra.execution.pool import NoSuchPool, Pools, PoolSpec, StartFailed
from rostra.ids import PoolKey, ProcessKey, new_key

pytestmark = pytest.mark.anyio


# Replacing


async def test_new_limits_keep_the_processes(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    await pools.define(house.spec(max_conns_per_process=5))
    assert house.announced[ONE] == ((dataclasses.replace(member, room=5),), 2)
    assert house.launcher.stopped == []


async def test_prove_then_switch_leaves_no_moment_without_a_process(house: House, pools: Pools) -> None:
    await pools.define(house.spec("1"))
    old = await pools.ensure(ONE)
    pools.loads(ONE, {old.key: 1})
    proven = await pools.prove(await house.make_launch(ProcessKey(new_key())))
    assert house.members() == [old.key]
    seen: list[int] = []
    original = pools._on_change
    pools._on_change = lambda key, members, comfort: (seen.append(len(members)), original(key, members, comfort))  # type: ignore[assignment, func-returns-value]
    await pools.define(house.spec("2"), first=proven)
    assert seen == [1]
    assert house.members() == [proven.key]
    await house.later(pools, 60)
    assert house.launcher.stopped == []
    pools.loads(ONE, {old.key: 0})
    await house.later(pools, 1)
    assert house.launcher.stopped == [old.key]


async def test_a_proven_process_can_be_adopted_later(house: House, pools: Pools) -> None:
    proven = await pools.prove(await house.make_launch(ProcessKey(new_key())))
    await pools.define(house.spec())
    await pools.adopt(ONE, proven)
    assert (await pools.ensure(ONE)).key == proven.key
    assert len(house.launcher.launches) == 1


async def test_a_proof_that_fails_touches_nothing(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    old = await pools.ensure(ONE)
    house.command = ("exit", "1")
    with pytest.raises(StartFailed):
        await pools.prove(await house.make_launch(ProcessKey(new_key())))
    assert house.members() == [old.key]


async def test_a_proof_that_is_cancelled_leaves_nothing(house: House, pools: Pools) -> None:
    house.command = ("silent",)
    proving = asyncio.create_task(pools.prove(await house.make_launch(ProcessKey(new_key()))))
    await until(lambda: house.launcher.launches)
    await settle()
    proving.cancel()
    await asyncio.gather(proving, return_exceptions=True)
    await settle()
    assert await house.launcher.running() == ()


async def test_a_proven_process_that_is_not_needed_is_ended(house: House, pools: Pools) -> None:
    proven = await pools.prove(await house.make_launch(ProcessKey(new_key())))
    await pools.discard(proven)
    assert await house.launcher.running() == ()
    await pools.define(house.spec())
    with pytest.raises(StartFailed):
        await pools.adopt(ONE, proven)


async def test_draining_ends_after_its_bound(house: House, pools: Pools) -> None:
    await pools.define(house.spec("1"))
    old = await pools.ensure(ONE)
    pools.loads(ONE, {old.key: 1})
    await pools.define(house.spec("2"), drain_seconds=10)
    await house.later(pools, 9)
    assert house.launcher.stopped == []
    await house.later(pools, 1)
    assert house.launcher.stopped == [old.key]


async def test_a_retired_pool_gets_no_visitors_and_ends(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    await pools.retire(ONE, drain_seconds=10)
    assert house.announced[ONE] == ((), 0)
    with pytest.raises(NoSuchPool):
        await pools.ensure(ONE)
    await house.later(pools, 1)
    assert house.launcher.stopped == [member.key]
    await pools.retire(ONE, drain_seconds=10)


async def test_a_start_under_way_when_its_pool_is_replaced_is_not_used(house: House, pools: Pools) -> None:
    house.command = ("silent",)
    await pools.define(house.spec("1"))
    visit = asyncio.create_task(pools.ensure(ONE))
    await until(lambda: house.launcher.launches)
    house.command = ("serve",)
    await pools.define(house.spec("2"))
    house.launcher.listen(house.launcher.launches[0].key)
    member = await visit
    assert member.key == house.launcher.launches[1].key
    await settle()
    assert house.launcher.stopped == [house.launcher.launches[0].key]


async def test_restart_replaces_processes_of_the_same_bundle(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    old = await pools.ensure(ONE)
    await pools.restart(ONE)
    assert (await pools.ensure(ONE)).key != old.key
    await house.later(pools, 1)
    assert house.launcher.stopped == [old.key]


async def test_one_process_can_be_ended_by_name(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    member = await pools.ensure(ONE)
    await pools.end(member.key)
    assert house.members() == []
    assert await house.launcher.running() == ()
    await settle()
    assert house.records[-1] == ("ended", (member.key, -15, True))


# After a restart of the server


def specs(house: House, *known: PoolSpec) -> Callable[[PoolKey], Awaitable[PoolSpec | None]]:
    async def spec_of(key: PoolKey) -> PoolSpec | None:
        return next((spec for spec in known if spec.key == key), None)

    return spec_of


async def test_running_processes_are_taken_over_and_others_ended(house: House, pools: Pools) -> None:
    await pools.define(house.spec())
    await pools.define(house.spec(key=PoolKey("gone")))
    kept, unwanted = await pools.ensure(ONE), await pools.ensure(PoolKey("gone"))
    proof = await pools.prove(await house.make_launch(ProcessKey(new_key())))
    async with house.pools() as restarted:
        assert await restarted.reconcile(specs(house, house.spec())) == (1, 2)
        assert (await restarted.ensure(ONE)).key == kept.key
        assert set(house.launcher.stopped) == {unwanted.key, proof.key}
        house.launcher.crash(kept.key)
        await settle()
        assert house.members() == []


async def test_a_process_of_another_bundle_is_not_taken_over(house: House, pools: Pools) -> None:
    await pools.define(house.spec("1"))
    old = await pools.ensure(ONE)
    async with house.pools() as restarted:
        assert await restarted.reconcile(specs(house, house.spec("2"))) == (0, 1)
        assert house.launcher.stopped == [old.key]


async def test_a_proven_process_of_the_bundle_that_became_live_is_taken_over(house: House, pools: Pools) -> None:
    launch = await house.make_launch(ProcessKey(new_key()))
    proven = await pools.prove(dataclasses.replace(launch, labels={"pool": "one", "bundle": "2"}))
    async with house.pools() as restarted:
        assert await restarted.reconcile(specs(house, house.spec("2"))) == (1, 0)
        assert (await restarted.ensure(ONE)).key == proven.key


async def test_the_end_of_the_server_ends_everything_and_writes_it_down(house: House) -> None:
    async with house.pools() as pools:
        await pools.define(house.spec(min_processes=1))
        member = await pools.ensure(ONE)
        proven = await pools.prove(await house.make_launch(ProcessKey(new_key())))
        await pools.end_all()
        await pools.tick()
        assert await house.launcher.running() == ()
        ended = {what[0]: what[2] for kind, what in house.records if kind == "ended"}  # type: ignore[index]
        assert ended == {member.key: True, proven.key: True}


async def test_leaving_the_block_leaves_processes_running_and_writes_everything_down(house: House) -> None:
    async with house.pools() as pools:
        await pools.define(house.spec())
        member = await pools.ensure(ONE)
    assert [one.key for one in await house.launcher.running()] == [member.key]
    assert house.records == [("started", member.key)]
    house.launcher.close()


async def test_a_record_that_fails_stops_nothing(house: House) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with Pools(house.launcher, clock=house.clock, on_started=broken, on_ended=broken) as pools:
        await pools.define(house.spec())
        house.launcher.crash((await pools.ensure(ONE)).key)
        await settle()
        await pools.ensure(ONE)
    house.launcher.close()
