"""Kernels that are made ready before anybody asks: each for one notebook, in its own sandbox, for one render.

What is held is a renderer with its kernel, which has made the imports the notebook begins with and waits. It knows no
credential of the render to come. It is used only when a kernel started now would be given exactly the same; otherwise,
and whenever something is not as expected, the render starts one as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import structlog

from rostra.errors import Problem
from rostra.execution import weights
from rostra.rendering import orders
from rostra.rendering.conversation import Conversation
from rostra.rendering.job import KernelPlaces, RenderJob
from rostra.rendering.kernel_command import command, environment
from rostra.rendering.places import Place
from rostra.rendering.processes import to_the_end
from rostra.rendering.renderers import Renderers

log = structlog.get_logger()

READY_SECONDS = 120.0  # until it is ready
TAKE_SECONDS = 10.0  # until it has begun with what it was asked, or is ready after all
LARGEST_BUNDLE = 250_000_000  # bytes; each kernel that waits holds a copy
_NOWHERE = KernelPlaces(connection_dir=Path("/k"), work_dir=Path("/w"), cwd=Path("/w"))


class Budget(NamedTuple):
    """What all that wait may take together, and how long each waits; 0 bytes: there are none."""

    memory_bytes: int
    idle_seconds: float


class Likeness(NamedTuple):
    """What a kernel is given, whichever folders it works in, and which file its environment is."""

    code_dir: Path
    notebook: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    installed: tuple[int, ...]


def likeness(job: RenderJob) -> Likeness:
    """Two jobs whose likeness is equal start equal kernels."""
    argv = job.wrap(command(job.python, _NOWHERE.connection_dir, job.env), _NOWHERE)
    env = environment(job.python, _NOWHERE.connection_dir, job.env)
    return Likeness(job.code_dir, job.notebook, tuple(argv), tuple(sorted(env.items())), _installed(job.python))


def _installed(python: Path) -> tuple[int, ...]:
    """Return what tells an environment from one that was made in its place; nothing when it is gone."""
    try:
        found = python.parent.parent.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


@dataclass(slots=True)
class ReadyKernel:
    """One that waits. Whoever takes it out of `ReadyKernels` has to ``end`` it."""

    job: RenderJob
    likeness: Likeness
    place: Place
    conversation: Conversation
    memory_bytes: int = 0

    async def take(self, job: RenderJob) -> bool:
        """Have it go on with ``job``; False when it will not, and nothing of the notebook has been run."""
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                self.conversation.tell(orders.rest(job, self.place))
                said = await self.conversation.heard()
        except (OSError, TimeoutError, ValueError) as why:
            said = {"refused": repr(why)}
        if said and said.get("taken"):
            return True
        log.info("a kernel that was ready is not used", why=(said or {}).get("refused", "it ended"))
        return False

    async def end(self) -> None:
        await self.conversation.end()
        await self.place.remove()


class ReadyKernels:
    """Holds at most one for each ``owner``, an item. Use as ``async with``; leaving the block ends all."""

    def __init__(self, renderers: Renderers, budget: Callable[[], Budget]) -> None:
        self._renderers, self._budget = renderers, budget
        self._ready: dict[str, ReadyKernel] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._next: tuple[str, RenderJob] | None = None
        self._making: tuple[str, RenderJob, asyncio.Task[None]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, what: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def has(self, owner: str) -> bool:
        """Say whether one is ready for ``owner``, or will be."""
        return any(owner == each for each, _ in self._all())

    def _all(self) -> list[tuple[str, RenderJob]]:
        making = [self._making[:2]] if self._making else []
        return [*((owner, each.job) for owner, each in self._ready.items()), *making, *filter(None, [self._next])]

    def prepare(self, owner: str, job: RenderJob) -> None:
        """Have one ready for a job like this. One is made at a time; of those who wait for that, the last one counts.

        ``job`` has folders of its own; its output is not made.
        """
        if self._budget().memory_bytes > 0:
            self._next = owner, job
            self._go_on()

    async def made(self) -> None:
        """Wait until nothing is being made."""
        while self._making:
            await asyncio.wait((self._making[2],))

    async def take(self, owner: str, job: RenderJob) -> ReadyKernel | None:
        """Return the one for ``job``, which then is the caller's to end; None when there is none that fits."""
        wanted = likeness(job)
        if self._next and self._next[0] == owner:
            self._next = None
        if self._making and self._making[0] == owner:
            if likeness(self._making[1]) == wanted:  # it is further than one that is started now
                await asyncio.wait((self._making[2],), timeout=TAKE_SECONDS)
            await self._stop_making(owner)
        ready = self._remove(owner)
        if ready is None or (job.execute and ready.likeness == wanted and not ready.conversation.ended):
            return ready
        self._end(ready)
        return None

    async def end(self, owner: str) -> None:
        """End what is ready, or is being made ready, for ``owner``. Returns once nothing of it is left."""
        if self._next and self._next[0] == owner:
            self._next = None
        await self._stop_making(owner)
        if ready := self._remove(owner):
            await asyncio.shield(self._end(ready))

    async def follow(self, owner: str, fits: Callable[[RenderJob], bool]) -> None:
        """End what is ready for a job of ``owner`` that does not fit any more."""
        if not all(fits(job) for each, job in self._all() if each == owner):
            await self.end(owner)

    async def end_all(self) -> None:
        self._next = None
        if self._making:
            await self._stop_making(self._making[0])
        for owner in tuple(self._ready):
            await self.end(owner)

    def _go_on(self) -> None:
        if self._next and self._making is None:
            owner, job = self._next
            self._next = None
            self._making = owner, job, self._own(self._make(owner, job))

    async def _stop_making(self, owner: str) -> None:
        if self._making and self._making[0] == owner:
            making = self._making
            making[2].cancel()
            await asyncio.wait((making[2],))
            if self._making is making:  # it had not even begun, so nothing of it could say that it is over
                self._making = None
                self._go_on()

    async def _make(self, owner: str, job: RenderJob) -> None:
        try:
            if earlier := self._remove(owner):
                await asyncio.shield(self._end(earlier))
            ready = await self._made(job)
            if ready is not None:
                self._keep(owner, ready)
        except (Problem, OSError, TimeoutError, EOFError, ValueError) as why:
            log.warning("no kernel could be made ready", owner=owner, why=repr(why))
        finally:
            self._making = None
            self._go_on()

    async def _made(self, job: RenderJob) -> ReadyKernel | None:
        if await to_the_end(_size, job.code_dir) > LARGEST_BUNDLE:
            log.info("a kernel is not made ready", notebook=job.notebook, why="its bundle is large")
            return None
        wanted, place = likeness(job), await Place.of(job)
        try:
            ready = ReadyKernel(job, wanted, place, Conversation(await self._renderers.start()))
        except BaseException:
            await place.remove()
            raise
        try:
            ready.conversation.tell(orders.ahead(job, place))
            async with asyncio.timeout(READY_SECONDS):
                said = await ready.conversation.heard()
            if said and "ready" in said:
                weight = await asyncio.to_thread(weights.weigh, ready.conversation.pid)
                ready.memory_bytes = weight.memory_bytes if weight else 0
                return ready
            why = (said or {}).get("refused") or (said or {}).get("failed", {}).get("message", "it ended")
            log.info("a kernel is not made ready", notebook=job.notebook, why=why)
        except BaseException:
            await asyncio.shield(ready.end())
            raise
        await asyncio.shield(ready.end())
        return None

    def _keep(self, owner: str, ready: ReadyKernel) -> None:
        budget = self._budget()
        self._ready[owner] = ready
        self._timers[owner] = asyncio.get_running_loop().call_later(budget.idle_seconds, self._let_go, owner)
        while self._ready and sum(each.memory_bytes for each in self._ready.values()) > budget.memory_bytes:
            self._let_go(next(iter(self._ready)))  # the one that waited longest

    def _let_go(self, owner: str) -> None:
        if ready := self._remove(owner):
            self._end(ready)

    def _remove(self, owner: str) -> ReadyKernel | None:
        if timer := self._timers.pop(owner, None):
            timer.cancel()
        return self._ready.pop(owner, None)

    def _end(self, ready: ReadyKernel) -> asyncio.Task[None]:
        return self._own(ready.end())

    def _own(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
