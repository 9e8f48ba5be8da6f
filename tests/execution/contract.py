"""What every launcher must do, in the order of the promises in `rostra.execution.launcher.Launcher`.

Subclass `LauncherContract` in the launcher's own test module and give it the fixtures ``launcher`` and ``commands``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.watching import within

from rostra.execution import logs
from rostra.execution.launcher import Exit, Launch, Launcher, LaunchFailed, Running
from rostra.execution.weights import Scales
from rostra.ids import ProcessKey, new_key


@dataclass(frozen=True)
class Commands:
    """Makes launches that behave in a known way. Each call makes one with a key of its own."""

    folder: Path
    sleep: tuple[str, ...]  # as `stubborn`, says that it has begun
    exit_with: Callable[[int], tuple[str, ...]]
    missing: tuple[str, ...]
    stubborn: tuple[str, ...]  # ignores SIGTERM

    def launch(self, argv: tuple[str, ...], /, **changes: object) -> Launch:
        key = ProcessKey(new_key(8))
        made = Launch(
            key=key,
            argv=argv,
            cwd=Path("/"),
            env={},
            run_dir=self.folder / "p" / key,
            log=self.folder / "logs" / f"{key}.log",
        )
        return replace(made, **changes)  # type: ignore[arg-type]


SHELL = ("/bin/sh", "-c")
REAL = {
    "sleep": (*SHELL, "echo begun; exec sleep 60"),
    "exit_with": lambda code: (*SHELL, f"exit {code}"),
    "missing": ("/nowhere/missing",),
    "stubborn": (*SHELL, "trap '' TERM; echo begun; while :; do sleep 0.05; done"),
}
FAKE = {
    "sleep": ("sleep",),
    "exit_with": lambda code: ("exit", str(code)),
    "missing": ("missing",),
    "stubborn": ("stubborn",),
}


async def begun(launch: Launch) -> None:
    """Wait until the program itself runs: until then there is nobody to ask."""
    async with asyncio.timeout(within(10)):
        while not (launch.log.exists() and logs.read(launch.log)):
            await asyncio.sleep(0.01)


async def next_exit(exits: object, key: ProcessKey) -> Exit:
    async with asyncio.timeout(within(10)):
        while True:
            end = await anext(exits)  # type: ignore[call-overload]
            if end.key == key:
                assert isinstance(end, Exit)
                return end


def keys(running: tuple[Running, ...]) -> set[ProcessKey]:
    return {one.key for one in running}


def alive(pid: int) -> bool:
    """Say whether it runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.anyio
class LauncherContract:
    pids_are_real = True

    async def test_1_probe_returns_sentences(self, launcher: Launcher) -> None:
        for sentence in await launcher.probe():
            assert sentence.endswith(".")
            assert sentence[0].isupper()

    async def test_2_start_returns_a_process_that_exists(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep, labels={"pool": "one"})
        running = await launcher.start(launch)
        assert (running.key, running.socket, dict(running.labels)) == (launch.key, launch.socket, {"pool": "one"})
        assert launch.run_dir.is_dir()
        if self.pids_are_real:
            assert alive(running.pid)
        await launcher.stop(launch.key, grace_seconds=0)

    async def test_2_a_failure_to_start_is_an_error_and_leaves_nothing(
        self, launcher: Launcher, commands: Commands
    ) -> None:
        launch = commands.launch(commands.missing)
        with pytest.raises(LaunchFailed):
            await launcher.start(launch)
        assert await launcher.running() == ()
        assert not launch.run_dir.exists()

    async def test_2_an_early_end_is_an_exit_and_not_an_error(self, launcher: Launcher, commands: Commands) -> None:
        exits = launcher.exits()
        launch = commands.launch(commands.exit_with(7))
        await launcher.start(launch)
        assert await next_exit(exits, launch.key) == Exit(launch.key, 7)
        assert not launch.run_dir.exists()
        assert await launcher.running() == ()

    async def test_2_a_key_that_runs_already_is_refused(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep)
        await launcher.start(launch)
        with pytest.raises(LaunchFailed):
            await launcher.start(launch)
        assert keys(await launcher.running()) == {launch.key}
        await launcher.stop(launch.key, grace_seconds=0)

    async def test_3_stop_asks_first(self, launcher: Launcher, commands: Commands) -> None:
        exits = launcher.exits()
        launch = commands.launch(commands.sleep)
        await launcher.start(launch)
        await (begun(launch) if self.pids_are_real else asyncio.sleep(0))
        await launcher.stop(launch.key)
        assert (await next_exit(exits, launch.key)).code == -15

    async def test_3_stop_forces_after_the_grace(self, launcher: Launcher, commands: Commands) -> None:
        exits = launcher.exits()
        launch = commands.launch(commands.stubborn)
        await launcher.start(launch)
        await (begun(launch) if self.pids_are_real else asyncio.sleep(0))
        await launcher.stop(launch.key, grace_seconds=0.05)
        assert (await next_exit(exits, launch.key)).code == -9

    async def test_3_nothing_is_left_when_stop_returns(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep)
        running = await launcher.start(launch)
        await launcher.stop(launch.key, grace_seconds=0)
        assert launch.key not in keys(await launcher.running())
        assert not launch.run_dir.exists()
        assert not (self.pids_are_real and alive(running.pid))

    async def test_3_stopping_what_does_not_run_returns_at_once(self, launcher: Launcher) -> None:
        async with asyncio.timeout(1):
            await launcher.stop(ProcessKey("nothing"))

    async def test_3_stopping_while_it_starts_ends_it(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep)
        starting = asyncio.create_task(launcher.start(launch))
        await asyncio.sleep(0)
        await launcher.stop(launch.key, grace_seconds=0)
        await starting
        await launcher.stop(launch.key, grace_seconds=0)
        assert await launcher.running() == ()

    async def test_4_running_lists_what_is_alive_with_its_labels(self, launcher: Launcher, commands: Commands) -> None:
        launches = [commands.launch(commands.sleep, labels={"n": str(number)}) for number in range(3)]
        for launch in launches:
            await launcher.start(launch)
        found = {one.key: dict(one.labels) for one in await launcher.running()}
        assert found == {launch.key: dict(launch.labels) for launch in launches}
        for launch in launches:
            await launcher.stop(launch.key, grace_seconds=0)

    async def test_5_every_subscriber_hears_every_end_once(self, launcher: Launcher, commands: Commands) -> None:
        first, second = launcher.exits(), launcher.exits()
        one, other = commands.launch(commands.exit_with(1)), commands.launch(commands.exit_with(2))
        await launcher.start(one)
        assert [(await next_exit(feed, one.key)).code for feed in (first, second)] == [1, 1]
        late = launcher.exits()
        await launcher.start(other)
        async with asyncio.timeout(10):
            assert [(await anext(feed)).code for feed in (first, second, late)] == [2, 2, 2]

    async def test_6_launches_are_independent(self, launcher: Launcher, commands: Commands) -> None:
        exits = launcher.exits()
        stays, goes = commands.launch(commands.sleep), commands.launch(commands.exit_with(3))
        await launcher.start(stays)
        await launcher.start(goes)
        await next_exit(exits, goes.key)
        assert keys(await launcher.running()) == {stays.key}
        await launcher.stop(stays.key, grace_seconds=0)

    async def test_7_methods_may_be_called_at_the_same_time(self, launcher: Launcher, commands: Commands) -> None:
        launches = [commands.launch(commands.sleep) for _ in range(6)]
        await asyncio.gather(*(launcher.start(launch) for launch in launches), launcher.running())
        assert len(await launcher.running()) == 6
        stops = [launcher.stop(launch.key, grace_seconds=0) for launch in launches for _ in range(2)]
        await asyncio.gather(*stops)
        assert await launcher.running() == ()

    async def test_7_a_start_that_is_cancelled_leaves_nothing(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep)
        starting = asyncio.create_task(launcher.start(launch))
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        if not starting.cancelled():  # it was quicker
            await launcher.stop(launch.key, grace_seconds=0)
        async with asyncio.timeout(10):
            while launch.run_dir.exists() or await launcher.running():
                await asyncio.sleep(0.01)

    async def test_what_runs_can_be_weighed(self, launcher: Launcher, commands: Commands) -> None:
        """Not every launcher can; one that can leaves nothing out that runs."""
        if not isinstance(launcher, Scales):
            pytest.skip("this launcher has no figures")
        launch = commands.launch(commands.sleep)
        await launcher.start(launch)
        found = await launcher.weigh()
        assert set(found) == {launch.key}
        assert found[launch.key].processes >= 1
        assert found[launch.key].memory_bytes > 0
        await launcher.stop(launch.key, grace_seconds=0)
        assert await launcher.weigh() == {}
