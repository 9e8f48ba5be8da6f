from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rostra.errors import Gone
from rostra.execution.fake import FakeLauncher
from rostra.execution.keeper_client import KeeperAway
from rostra.execution.launcher import Launch, Running
from rostra.execution.pool import Member, NoSuchPool, Pools, PoolSpec, StartFailed
from rostra.execution.scaling import Limits
from rostra.ids import PoolKey, ProcessKey, new_key

pytestmark = pytest.mark.anyio

ONE = PoolKey("one")


class MovedClock:
    def __init__(self) -> None:
        self.moment = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.moment


@dataclass
class House:
    """Pools over a fake launcher, a clock that is moved, and what was told to others."""

    folder: Path
    clock: MovedClock = field(default_factory=MovedClock)
    launcher: FakeLauncher = field(default_factory=FakeLauncher)
    announced: dict[PoolKey, tuple[tuple[Member, ...], int]] = field(default_factory=dict)
    records: list[tuple[str, object]] = field(default_factory=list)
    command: tuple[str, ...] = ("serve",)

    def pools(self) -> Pools:
        def on_change(key: PoolKey, members: tuple[Member, ...], comfort: int) -> None:
            self.announced[key] = (members, comfort)

        async def on_started(launch: Launch, running: Running, pool: PoolKey | None) -> None:
            self.records.append(("started", launch.key))

        async def on_ended(process: ProcessKey, code: int, asked: bool) -> None:
            self.records.append(("ended", (process, code, asked)))

        return Pools(
            self.launcher,
            clock=self.clock,
            on_change=on_change,
            on_started=on_started,
            on_ended=on_ended,
            tick_seconds=3600,
        )

    async def make_launch(self, key: ProcessKey) -> Launch:
        return Launch(
            key=key,
            argv=self.command,
            cwd=Path("/"),
            env={},
            run_dir=self.folder / "p" / key,
            log=self.folder / f"{key}.log",
        )

    def spec(self, bundle: str = "1", key: PoolKey = ONE, **limits: int) -> PoolSpec:
        return PoolSpec(
            key=key,
            make_launch=self.make_launch,
            limits=Limits(**limits),
            labels={"bundle": bundle},  # type: ignore[arg-type]
        )

    def members(self, key: PoolKey = ONE) -> list[ProcessKey]:
        return [member.key for member in self.announced[key][0]]

    async def later(self, pools: Pools, seconds: float) -> None:
        self.clock.moment += dt.timedelta(seconds=seconds)
        await pools.tick()
        await settle()


async def settle() -> None:
    """Let everything that can go on without time passing go on."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


@pytest.fixture
def house(short_path: Path) -> House:
    return House(short_path)


@pytest.fixture
async def pools(house: House) -> AsyncIterator[Pools]:
    async with house.pools() as made:
        yield made
    house.launcher.close()


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


# Failing and coming back


async def fail_once(house: House, pools: Pools) -> None:
    house.command = ("exit", "1")
    with pytest.raises(StartFailed):
        await pools.ensure(ONE)


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
