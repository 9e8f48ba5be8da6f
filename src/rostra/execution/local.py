"""Starts content on this host, in this process's care: when this process ends, however it ends, so does the content."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rostra.clock import Clock, SystemClock
from rostra.execution import accounts, host, sandbox
from rostra.execution.cgroups import Cgroups
from rostra.execution.feed import Feed, Subscription
from rostra.execution.launcher import Exit, Launch, LaunchFailed, Running
from rostra.execution.logs import LogFile
from rostra.execution.sandbox import HostFacts
from rostra.execution.tree import Output, Tree, spawn
from rostra.execution.weights import Weight, weigh
from rostra.ids import ProcessKey
from rostra.trees import remove_tree

logger = logging.getLogger(__name__)

LONGEST_RUN_DIR = 80
CLOSING_GRACE_SECONDS = 5.0


@dataclass(slots=True)
class _Child:
    launch: Launch
    running: Running
    tree: Tree
    log: LogFile
    outputs: tuple[Output, Output]
    gone: asyncio.Event


class LocalLauncher:
    """The launcher of one host. Use as ``async with``: leaving the block ends everything it started.

    A launch that names no account runs as the default one when this process is root; never as root.
    """

    def __init__(self, facts: HostFacts, groups: Cgroups | None = None, clock: Clock | None = None) -> None:
        self._host = facts
        self._groups = groups
        self._clock = clock or SystemClock()
        self._children: dict[ProcessKey, _Child] = {}
        self._claimed: set[ProcessKey] = set()
        self._starting: dict[ProcessKey, asyncio.Task[Running | LaunchFailed]] = {}
        self._feed = Feed()
        self._tasks = asyncio.TaskGroup()
        self._closing = False

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, what: BaseException | None, trace: TracebackType | None
    ) -> None:
        # In a task of its own, so that it is finished even when this one is cancelled again.
        self._closing = True
        closing = self._tasks.create_task(self._close())
        try:
            await asyncio.shield(closing)
        finally:
            await self._tasks.__aexit__(None, None, None)

    async def probe(self) -> tuple[str, ...]:
        return host.unprotected(self._host)

    async def start(self, what: Launch) -> Running:
        if self._closing:
            raise LaunchFailed("the launcher is closing")
        launch = self._with_account(what)
        if launch.key in self._claimed:
            raise LaunchFailed(f"process {launch.key} runs already", hint="Give every launch its own key.")
        self._claimed.add(launch.key)
        starting = self._starting[launch.key] = self._tasks.create_task(self._begin(launch))
        try:
            outcome = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self._tasks.create_task(self._undo(starting))
            raise
        if isinstance(outcome, LaunchFailed):
            raise outcome
        return outcome

    async def stop(self, key: ProcessKey, *, grace_seconds: float = 5.0) -> None:
        if starting := self._starting.get(key):
            await asyncio.wait((starting,))
        if child := self._children.get(key):
            await asyncio.shield(self._tasks.create_task(_end(child, grace_seconds)))

    async def running(self) -> tuple[Running, ...]:
        return tuple(child.running for child in self._children.values())

    async def weigh(self) -> Mapping[ProcessKey, Weight]:
        pids = {key: child.tree.pid for key, child in self._children.items()}
        return await asyncio.to_thread(_weights, pids)

    def exits(self) -> Subscription:
        return self._feed.subscribe()

    async def _begin(self, launch: Launch) -> Running | LaunchFailed:
        try:
            child = await self._spawn(launch)
        except LaunchFailed as why:
            self._claimed.discard(launch.key)
            return why
        except Exception:
            # One launch that trips over a bug must not end every other process.
            logger.exception("a launch failed")
            self._claimed.discard(launch.key)
            return LaunchFailed("the launcher failed; its log says why")
        finally:
            self._starting.pop(launch.key, None)
        self._children[launch.key] = child
        self._tasks.create_task(self._watch(child))
        return child.running

    async def _spawn(self, launch: Launch) -> _Child:
        _refuse_unusable(launch, self._host)
        try:
            _make_run_dir(launch, self._host)
            log = LogFile(launch.log, launch.log_bytes, self._clock)
        except OSError as why:
            _remove_run_dir(launch)
            raise LaunchFailed(f"cannot prepare {why.filename}: {why.strerror}") from why
        outputs = Output(lambda data: log.feed("out", data)), Output(lambda data: log.feed("err", data))
        try:
            tree = await spawn(launch, self._host, self._groups, *outputs)
        except LaunchFailed as why:
            log.say(str(why))
            await _finish_log(log, outputs)
            _remove_run_dir(launch)
            raise
        running = Running(launch.key, tree.pid, launch.socket, dict(launch.labels))
        return _Child(launch, running, tree, log, outputs, asyncio.Event())

    async def _watch(self, child: _Child) -> None:
        code = await child.tree.gone()
        try:
            await _finish_log(child.log, child.outputs)
            await asyncio.to_thread(_remove_run_dir, child.launch)
        except OSError:
            logger.exception("what a process left could not be put away")
        self._children.pop(child.launch.key, None)
        self._claimed.discard(child.launch.key)
        child.gone.set()
        # Last: whoever hears of the end may read the whole log and use the key again.
        self._feed.publish(Exit(child.launch.key, code))

    async def _undo(self, starting: asyncio.Task[Running | LaunchFailed]) -> None:
        outcome = await starting
        if isinstance(outcome, Running):
            await self.stop(outcome.key, grace_seconds=0)

    async def _close(self) -> None:
        async with asyncio.TaskGroup() as group:
            for child in tuple(self._children.values()):
                group.create_task(_end(child, CLOSING_GRACE_SECONDS))
        if self._groups:
            self._groups.close()

    def _with_account(self, launch: Launch) -> Launch:
        if not self._host.root or launch.user is not None:
            return launch
        return dataclasses.replace(launch, user=accounts.choose("", root=True))


def _weights(pids: Mapping[ProcessKey, int]) -> dict[ProcessKey, Weight]:
    return {key: found for key, pid in pids.items() if (found := weigh(pid)) is not None}


async def _end(child: _Child, grace_seconds: float) -> None:
    if grace_seconds > 0:
        child.tree.terminate()
        try:
            async with asyncio.timeout(grace_seconds):
                await child.gone.wait()
        except TimeoutError:
            child.log.say(f"did not end within {grace_seconds:g} s of being asked, ended by force")
    if not child.gone.is_set():
        child.tree.kill()
        await child.gone.wait()


async def _finish_log(log: LogFile, outputs: tuple[Output, Output]) -> None:
    for output in outputs:
        await output.end()
    log.close()


def _refuse_unusable(launch: Launch, facts: HostFacts) -> None:
    """Say beforehand what would otherwise be a riddle in the log."""
    sandbox.identity(launch, facts)
    if not launch.argv or not sandbox.names_are_sound(launch.env) or "\0" in "".join(launch.argv):
        raise LaunchFailed("the command or its environment cannot be passed to a program")
    if len(os.fsencode(launch.run_dir)) > LONGEST_RUN_DIR:
        raise LaunchFailed(f"the run folder's path is longer than {LONGEST_RUN_DIR} bytes: {launch.run_dir}")
    for mount in sandbox.effective_mounts(launch):
        if mount.path != launch.run_dir and not mount.path.exists():
            raise LaunchFailed(f"{mount.path} does not exist and cannot be shown to content")
    program = launch.cwd / launch.argv[0]
    if not (program.is_file() and os.access(program, os.X_OK)):
        raise LaunchFailed(f"cannot start {launch.argv[0]}: there is no such program")
    for path in (program, launch.cwd):
        if not sandbox.visible(path, launch, facts):
            raise LaunchFailed(f"{path} is not among what the sandbox shows", hint="Add it to the mounts.")


def _make_run_dir(launch: Launch, facts: HostFacts) -> None:
    launch.run_dir.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    if launch.run_dir.is_symlink() or launch.run_dir.exists():
        _remove_run_dir(launch)  # a killed launcher's: no other runs under this key
    own = () if facts.bwrap else (launch.run_dir / "home", launch.run_dir / "tmp")
    for folder in (launch.run_dir, *own):
        folder.mkdir(mode=0o700)
    if facts.root:
        # What is inside first: once the folder is the account's, names in it cannot be trusted any more.
        for folder in (*own, launch.run_dir):
            os.chown(folder, *sandbox.identity(launch, facts), follow_symlinks=False)


def _remove_run_dir(launch: Launch) -> None:
    if launch.run_dir.is_symlink():
        launch.run_dir.unlink()
    remove_tree(launch.run_dir)
