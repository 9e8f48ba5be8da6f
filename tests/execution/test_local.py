"""The local launcher without a sandbox; test_confinement.py has it with one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from execution.contract import REAL, Commands, LauncherContract, alive, next_exit

from rostra.execution import host, logs
from rostra.execution.launcher import Exit, Launcher, LaunchFailed, Mount
from rostra.execution.local import LocalLauncher


@pytest.fixture
async def launcher() -> AsyncIterator[LocalLauncher]:
    async with LocalLauncher(host.probe("off")) as local:
        yield local


@pytest.fixture
def commands(short_path: Path) -> Commands:
    return Commands(short_path, **REAL)  # type: ignore[arg-type]


class TestLocalLauncher(LauncherContract):
    async def test_output_is_kept(self, launcher: Launcher, commands: Commands) -> None:
        exits = launcher.exits()
        launch = commands.launch(("/bin/sh", "-c", "echo out; echo err >&2"))
        await launcher.start(launch)
        await next_exit(exits, launch.key)
        assert {(line.source, line.text) for line in logs.read(launch.log)} == {("stdout", "out"), ("stderr", "err")}

    async def test_a_flood_of_output_blocks_nothing_and_stays_bounded(
        self, launcher: Launcher, commands: Commands
    ) -> None:
        exits = launcher.exits()
        launch = commands.launch(("/bin/sh", "-c", "seq 1 200000; echo done"), log_bytes=50_000)
        await launcher.start(launch)
        assert (await next_exit(exits, launch.key)).code == 0
        assert launch.log.stat().st_size <= 50_000
        assert logs.read(launch.log)[-1].text == "done"

    async def test_children_end_with_it(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(("/bin/sh", "-c", "sleep 60 & echo $!; setsid sleep 60 & echo $!; wait"))
        await launcher.start(launch)
        async with asyncio.timeout(10):
            while len(lines := logs.read(launch.log)) < 2:
                await asyncio.sleep(0.01)
        children = [int(line.text) for line in lines]
        await launcher.stop(launch.key, grace_seconds=0)
        assert not any(map(alive, children))

    async def test_leaving_the_block_ends_everything(self, commands: Commands) -> None:
        async with LocalLauncher(host.probe("off")) as local:
            running = [await local.start(commands.launch(commands.sleep)) for _ in range(3)]
        assert not any(alive(one.pid) for one in running)

    async def test_being_cancelled_ends_everything(self, commands: Commands) -> None:
        pids: list[int] = []

        async def serve() -> None:
            async with LocalLauncher(host.probe("off")) as local:
                pids.append((await local.start(commands.launch(commands.sleep))).pid)
                await asyncio.Event().wait()

        serving = asyncio.create_task(serve())
        async with asyncio.timeout(10):
            while not pids:
                await asyncio.sleep(0.01)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        assert not alive(pids[0])

    async def test_what_a_process_left_may_be_deeper_than_calls(self, launcher: Launcher, commands: Commands) -> None:
        exits = launcher.exits()
        burrow = "import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(1500): os.mkdir('a-name'); os.chdir('a-name')"
        launch = commands.launch((sys.executable, "-c", burrow))
        launch = replace(launch, argv=(*launch.argv, str(launch.run_dir)))
        await launcher.start(launch)
        assert await next_exit(exits, launch.key) == Exit(launch.key, 0)
        assert not launch.run_dir.exists()

    async def test_a_killed_launchers_run_folder_is_taken_over(self, launcher: Launcher, commands: Commands) -> None:
        launch = commands.launch(commands.sleep)
        launch.run_dir.mkdir(parents=True)
        (launch.run_dir / "s").write_text("stale")
        await launcher.start(launch)
        assert not (launch.run_dir / "s").exists()
        await launcher.stop(launch.key, grace_seconds=0)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"mounts": (Mount(Path("/nowhere")),)}, "/nowhere does not exist"),
            ({"mounts": (Mount(Path("/")),)}, "/ must not be shown"),
            ({"user": (0, 0)}, "must not run as root"),
            ({"env": {"A": "b\0c"}}, "cannot be passed"),
            ({"env": {"A=B": "c"}}, "cannot be passed"),
            ({"argv": ("/bin/sh", "a\0b")}, "cannot be passed"),
            ({"argv": ("/etc/passwd",)}, "no such program"),
            ({"run_dir": Path("/tmp") / ("x" * 90)}, "longer than 80 bytes"),
        ],
    )
    async def test_what_cannot_work_is_said_beforehand(
        self, launcher: Launcher, commands: Commands, changes: dict[str, object], says: str
    ) -> None:
        if "user" in changes and not host.probe("off").root:
            pytest.skip("only root can become somebody")
        with pytest.raises(LaunchFailed, match=says):
            await launcher.start(commands.launch(commands.sleep, **changes))
        assert await launcher.running() == ()
