"""Pools, the keeper's client, a real keeper and a real process that answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rostra.execution import sockets
from rostra.execution.keeper_client import KeeperLauncher
from rostra.execution.launcher import Launch
from rostra.execution.pool import Member, Pools, PoolSpec
from rostra.ids import PoolKey, ProcessKey

pytestmark = pytest.mark.anyio

ONE = PoolKey("one")
PYTHON = "/usr/bin/python3"
ANSWER = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()
while True:
    s.accept()[0].close()
"""


@pytest.fixture(autouse=True)
def needs_a_python_for_everybody() -> None:
    if not Path(PYTHON).exists():
        pytest.skip(f"no {PYTHON}")


@contextmanager
def keeper(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "rostra.execution.keeper", "--socket", str(folder / "keeper.sock")]
    process = subprocess.Popen([*argv, "--sandbox", "off"])
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def spec(folder: Path) -> PoolSpec:
    async def make_launch(key: ProcessKey) -> Launch:
        run_dir = folder / "p" / key
        return Launch(
            key=key,
            argv=(PYTHON, "-I", "-c", ANSWER, str(run_dir / "s")),
            cwd=Path("/"),
            env={},
            run_dir=run_dir,
            log=folder / f"{key}.log",
        )

    return PoolSpec(key=ONE, make_launch=make_launch, labels={"bundle": "1"})


async def test_content_answers_while_control_is_away_and_is_found_again(short_path: Path) -> None:
    path = short_path / "keeper.sock"
    with keeper(short_path):
        async with KeeperLauncher(path, away_seconds=20) as launcher, Pools(launcher) as pools:
            await pools.define(spec(short_path))
            first = await pools.ensure(ONE)
        assert sockets.accepts(first.socket)

        async def spec_of(key: PoolKey) -> PoolSpec:
            return spec(short_path)

        async with KeeperLauncher(path) as launcher, Pools(launcher) as pools:
            assert await pools.reconcile(spec_of) == (1, 0)
            assert await pools.ensure(ONE) == first


async def test_a_killed_keeper_is_repaired_by_the_next_visit(short_path: Path) -> None:
    changes: list[tuple[Member, ...]] = []
    path = short_path / "keeper.sock"
    async with (
        KeeperLauncher(path, away_seconds=20) as launcher,
        Pools(launcher, on_change=lambda _key, members, _comfort: changes.append(members)) as pools,
    ):
        await pools.define(spec(short_path))
        with keeper(short_path) as killed:
            first = await pools.ensure(ONE)
            killed.kill()
        with keeper(short_path):
            async with asyncio.timeout(10):
                while changes[-1]:
                    await asyncio.sleep(0.01)
            second = await pools.ensure(ONE)
            assert second.key != first.key
            assert sockets.accepts(second.socket)
