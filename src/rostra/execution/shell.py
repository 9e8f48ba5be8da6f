"""Runs one command to its end in the same sandbox as content: installers, build back-ends, converters.

A writable folder is handed to the account the command runs as, when that is another than the server's: on the way in,
once, and not back. Whatever lets the command write therefore belongs to that account afterwards; the sandbox of content
shows it read-only.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from rostra.execution import sandbox
from rostra.execution.cgroups import Cgroups
from rostra.execution.launcher import Launch, LaunchFailed, Mount
from rostra.execution.sandbox import HostFacts
from rostra.execution.tree import Output, Tree, spawn
from rostra.execution.weights import Weight
from rostra.ids import ProcessKey, new_key
from rostra.trees import remove_tree

LONGEST_LINE = 16 * 1024
GRACE_SECONDS = 2.0
LOOK_SECONDS = 0.5


class SandboxedShell:
    """``user`` is the (uid, gid) commands run as when the server is root; without it root runs nothing.

    ``began`` is told the process of each command, ``ended`` what it took, nearly. ``scratch`` holds a private folder
    for each command; what a crash leaves there is the caller's to remove.
    """

    def __init__(
        self,
        host: HostFacts,
        user: tuple[int, int] | None = None,
        groups: Cgroups | None = None,
        scratch: Path | None = None,
        *,
        began: Callable[[int], None] = lambda _: None,
        ended: Callable[[Weight], None] | None = None,
    ) -> None:
        self._host = host
        self._user = user
        self._groups = groups
        self._scratch = scratch
        self._began, self._ended = began, ended

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        readable: Sequence[Path],
        writable: Sequence[Path],
        network: bool,
        timeout: timedelta,
        on_line: Callable[[str], None],
    ) -> int:
        """Return the exit status of ``argv``; negative means killed by that signal.

        The command sees the operating system, ``readable`` and ``writable``, and no other variable than ``env`` and a
        handful of harmless ones. ``on_line`` gets each line of output and errors, without its end, at most 16 KiB.

        Raises:
            TimeoutError: it took longer; it and all it started have been ended.
            LaunchFailed: it could not be started.
        """
        run_dir = Path(tempfile.mkdtemp(prefix="rostra-", dir=self._scratch))
        # What is not there cannot be read either way; a folder to write must be there.
        seen = (Mount(path) for path in readable if path.exists())
        mounts = (*seen, *(Mount(path, writable=True) for path in writable))
        launch = Launch(
            key=ProcessKey(new_key()),
            argv=tuple(argv),
            cwd=cwd,
            env=env,
            run_dir=run_dir,
            log=run_dir / "log",
            mounts=mounts,
            user=self._user,
            network=network,
        )
        try:
            await asyncio.to_thread(self._prepare, launch, writable)
            return await self._run(launch, timeout, on_line)
        finally:
            await asyncio.shield(asyncio.to_thread(remove_tree, run_dir))

    async def _run(self, launch: Launch, timeout: timedelta, on_line: Callable[[str], None]) -> int:
        lines = _Lines(on_line)
        output = Output(lines.feed)
        try:
            tree = await spawn(launch, self._host, self._groups, output)
        except BaseException:
            await output.end()
            raise
        self._began(tree.pid)
        gone = asyncio.create_task(tree.gone())
        looking = asyncio.create_task(_look(tree)) if self._ended else None
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                return await asyncio.shield(gone)
        finally:
            if looking:
                looking.cancel()
            await _end(tree, gone)
            if self._ended and tree.took:
                self._ended(tree.took)
            await output.end()
            lines.end()

    def _prepare(self, launch: Launch, writable: Sequence[Path]) -> None:
        identity = sandbox.identity(launch, self._host)
        for path in (launch.cwd, *writable):
            if not path.is_dir():
                raise LaunchFailed(f"there is no folder {path}")
        if shutil.which(launch.argv[0], path=sandbox.SEARCH_PATH) is None:
            raise LaunchFailed(f"cannot start {launch.argv[0]}: there is no such program")
        if self._host.bwrap is None:
            for name in ("home", "tmp"):
                (launch.run_dir / name).mkdir(mode=0o700)
        if self._host.root:
            for folder in (*writable, launch.run_dir):
                hand_over(folder, *identity)


class _Lines:
    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._partial = b""

    def feed(self, data: bytes) -> None:
        *whole, rest = (self._partial + data).split(b"\n")
        self._partial = rest[:LONGEST_LINE]
        for line in whole:
            self._tell(line)

    def end(self) -> None:
        if self._partial:
            self._tell(self._partial)
            self._partial = b""

    def _tell(self, line: bytes) -> None:
        self._on_line(line[:LONGEST_LINE].rstrip(b"\r").decode("utf-8", "replace"))


async def _look(tree: Tree) -> None:
    pause = 0.05
    while True:
        await asyncio.sleep(pause)
        await asyncio.to_thread(tree.look)
        pause = min(2 * pause, LOOK_SECONDS)


async def _end(tree: Tree, gone: asyncio.Task[int]) -> None:
    """End what is left and wait for it, even when cancelled again meanwhile."""
    if gone.done():
        return
    tree.kill()
    while not gone.done():
        try:
            await asyncio.shield(gone)
        except asyncio.CancelledError:
            continue


def hand_over(folder: Path, uid: int, gid: int) -> None:
    """Make ``folder`` and what is in it belong to an account. Does nothing when the folder itself already does.

    Links are not followed, and files are reached by descriptor, so that nothing outside can be meant.
    """
    if folder.lstat().st_uid == uid:
        return
    for _, names, files, descriptor in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in (*names, *files):
            os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, uid, gid, follow_symlinks=False)
