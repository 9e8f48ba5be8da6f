"""The keeper and its client: in one process for the contract, as a real process for how it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from execution.contract import REAL, Commands, LauncherContract, alive, next_exit

from rostra.execution import host, wire
from rostra.execution.keeper import Keeper
from rostra.execution.keeper_client import KeeperAway, KeeperLauncher
from rostra.execution.launcher import Exit, Launch, LaunchFailed, Mount
from rostra.execution.local import LocalLauncher
from rostra.ids import ProcessKey

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def kept(path: Path) -> AsyncIterator[None]:
    """A keeper in this process."""
    async with LocalLauncher(host.probe("off")) as local:
        ready = asyncio.Event()
        serving = asyncio.create_task(Keeper(local).serve(path, ready.set))
        await ready.wait()
        yield
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


@pytest.fixture
async def launcher(short_path: Path) -> AsyncIterator[KeeperLauncher]:
    async with kept(short_path / "keeper.sock"), KeeperLauncher(short_path / "keeper.sock") as client:
        yield client


@pytest.fixture
def commands(short_path: Path) -> Commands:
    return Commands(short_path, **REAL)  # type: ignore[arg-type]


class TestKeeperLauncher(LauncherContract):
    async def test_4_another_client_sees_and_ends_what_this_one_started(
        self, launcher: KeeperLauncher, commands: Commands, short_path: Path
    ) -> None:
        launch = commands.launch(commands.sleep, labels={"pool": "one"})
        exits = launcher.exits()
        await launcher.start(launch)
        async with KeeperLauncher(short_path / "keeper.sock") as other:
            (found,) = await other.running()
            assert (found.key, dict(found.labels)) == (launch.key, {"pool": "one"})
            await other.stop(launch.key, grace_seconds=0)
        assert await next_exit(exits, launch.key) == Exit(launch.key, -9)

    async def test_a_client_that_goes_leaves_what_runs(self, commands: Commands, short_path: Path) -> None:
        async with kept(short_path / "keeper.sock"):
            async with KeeperLauncher(short_path / "keeper.sock") as client:
                running = await client.start(commands.launch(commands.sleep))
            assert alive(running.pid)

    async def test_the_reason_of_a_failure_arrives_whole(self, launcher: KeeperLauncher, commands: Commands) -> None:
        with pytest.raises(LaunchFailed, match="cannot start /nowhere/missing: there is no such program"):
            await launcher.start(commands.launch(commands.missing))

    async def test_a_launch_that_is_too_long_is_refused(self, launcher: KeeperLauncher, commands: Commands) -> None:
        with pytest.raises(LaunchFailed, match="too long"):
            await launcher.start(commands.launch(commands.sleep, env={"A": "x" * wire.LONGEST_LINE}))
        assert await launcher.running() == ()

    @pytest.mark.parametrize(
        "line",
        [
            b'{"id": 1, "op": "dance"}',
            b'{"id": 1}',
            b'{"id": 1, "op": "start"}',
            b'{"id": 1, "op": "start", "launch": {"key": 3}}',
            b'{"id": 1, "op": "stop", "key": "x", "grace": "long"}',
        ],
    )
    async def test_a_message_it_does_not_know_is_answered(
        self, launcher: KeeperLauncher, short_path: Path, line: bytes
    ) -> None:
        reader, writer = await asyncio.open_unix_connection(short_path / "keeper.sock")
        writer.write(line + b"\n")
        answer = json.loads(await reader.readline())
        assert answer["id"] == 1
        assert "cannot read" in answer["error"]
        writer.close()

    @pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b"x" * (wire.LONGEST_LINE + 10) + b"\n"])
    async def test_a_client_that_does_not_speak_the_protocol_is_dropped_alone(
        self, launcher: KeeperLauncher, short_path: Path, line: bytes
    ) -> None:
        reader, writer = await asyncio.open_unix_connection(short_path / "keeper.sock")
        writer.write(line)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert await launcher.running() == ()

    async def test_the_socket_is_for_this_account_alone(self, launcher: KeeperLauncher, short_path: Path) -> None:
        assert await launcher.running() == ()
        assert stat.S_IMODE((short_path / "keeper.sock").stat().st_mode) == 0o600


async def test_without_a_keeper_a_start_fails_soon(commands: Commands, short_path: Path) -> None:
    async with KeeperLauncher(short_path / "keeper.sock", away_seconds=0.05) as client:
        with pytest.raises(KeeperAway):
            await client.start(commands.launch(commands.sleep))


async def test_a_start_that_waits_for_the_keeper_has_not_vanished(commands: Commands, short_path: Path) -> None:
    launch = commands.launch(commands.sleep)
    async with KeeperLauncher(short_path / "keeper.sock", away_seconds=20) as client:
        exits = client.exits()
        starting = asyncio.create_task(client.start(launch))
        await asyncio.sleep(0.05)
        async with kept(short_path / "keeper.sock"):
            await starting
            assert exits.waiting.empty()
            await client.stop(launch.key, grace_seconds=0)


async def test_what_vanished_with_a_keeper_is_reported_after_it_is_back(commands: Commands, short_path: Path) -> None:
    path = short_path / "keeper.sock"
    launch = commands.launch(commands.sleep)
    async with KeeperLauncher(path) as client:
        exits = client.exits()
        async with kept(path):
            await client.start(launch)
        async with kept(path):
            assert (await next_exit(exits, launch.key)).code < 0
            assert await client.running() == ()


def test_a_launch_survives_the_wire() -> None:
    launch = Launch(
        key=ProcessKey("k"),
        argv=("/bin/a", "ü"),
        cwd=Path("/srv"),
        env={"A": "b"},
        run_dir=Path("/srv/p/k"),
        log=Path("/srv/log"),
        mounts=(Mount(Path("/a")), Mount(Path("/b"), writable=True)),
        memory_bytes=5,
        cpus=1.5,
        user=(1, 2),
        network=False,
        labels={"pool": "x"},
    )
    assert wire.to_launch(wire.parse(wire.line(wire.from_launch(launch)))) == launch


@pytest.fixture
def keeper(short_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "rostra.execution.keeper", "--socket", str(short_path / "keeper.sock")]
    process = subprocess.Popen([*argv, "--sandbox", "off"])
    yield process
    process.kill()
    process.wait()


async def until_gone(pids: list[int]) -> None:
    async with asyncio.timeout(5):
        while any(map(alive, pids)):
            await asyncio.sleep(0.01)


async def test_kill_9_of_the_keeper_leaves_no_content(
    keeper: subprocess.Popen[bytes], commands: Commands, short_path: Path
) -> None:
    async with KeeperLauncher(short_path / "keeper.sock", away_seconds=20) as client:
        pids = [(await client.start(commands.launch(commands.sleep))).pid for _ in range(3)]
        os.kill(keeper.pid, signal.SIGKILL)
        await until_gone(pids)


async def test_sigterm_ends_all_content_and_then_the_keeper(
    keeper: subprocess.Popen[bytes], commands: Commands, short_path: Path
) -> None:
    async with KeeperLauncher(short_path / "keeper.sock", away_seconds=20) as client:
        pids = [(await client.start(commands.launch(commands.sleep))).pid for _ in range(3)]
        keeper.terminate()
        assert await asyncio.to_thread(keeper.wait, 10) == 0
        assert not any(map(alive, pids))
        assert not (short_path / "keeper.sock").exists()
        assert list((short_path / "p").iterdir()) == []


@pytest.fixture
def left_over(short_path: Path) -> Path:
    left = short_path / "p" / "old"
    left.mkdir(parents=True)
    return left


async def test_a_killed_keepers_run_folders_are_removed_by_the_next(
    left_over: Path, keeper: subprocess.Popen[bytes], short_path: Path
) -> None:
    async with KeeperLauncher(short_path / "keeper.sock", away_seconds=20) as client:
        assert await client.running() == ()
    assert not left_over.exists()


def test_a_sandbox_that_is_required_and_missing_is_refused_with_its_own_status(short_path: Path) -> None:
    code = (
        "import sys; from rostra.execution import host, keeper; host._program = lambda name: None; "
        "sys.exit(keeper.main())"
    )
    argv = ["--socket", str(short_path / "keeper.sock"), "--sandbox", "required"]
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "bubblewrap is not installed" in done.stderr


def test_the_keeper_imports_little() -> None:
    code = "import sys, rostra.execution.keeper; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"sqlalchemy", "starlette", "fastapi", "pydantic", "structlog", "httptools", "uvloop", "rich", "anyio"}
    assert not heavy & set(done.stdout.split())
