"""Pools over processes that are played, by a clock that is moved."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rostra.execution.fake import FakeLauncher
from rostra.execution.launcher import Launch, Running
from rostra.execution.pool import Member, Pools, PoolSpec, StartFailed
from rostra.execution.scaling import Limits
from rostra.ids import PoolKey, ProcessKey

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


async def fail_once(house: House, pools: Pools) -> None:
    house.command = ("exit", "1")
    with pytest.raises(StartFailed):
        await pools.ensure(ONE)
