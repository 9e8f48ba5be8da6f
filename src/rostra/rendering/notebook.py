"""Renders a notebook in a process of its own, with its kernel in the content's interpreter.

Whatever happens, also a cancellation: no process is left, and the output folder is complete or absent.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from rostra.durable import publish
from rostra.ids import new_key
from rostra.rendering.job import PRIMARY, KernelPlaces, Rendered, RenderFailed, RenderJob, RenderTimedOut, Say
from rostra.rendering.kernel_command import command, environment
from rostra.rendering.processes import end_tree, to_the_end
from rostra.rendering.renderers import PlainRenderers, Renderer, Renderers
from rostra.rendering.tracebacks import plain
from rostra.trees import remove_tree
from rostra.units import human_duration

_TAIL_BYTES = 8_192
_PLAIN = PlainRenderers()


async def render(job: RenderJob, say: Say, renderers: Renderers = _PLAIN) -> Rendered:
    """Render ``job`` and return the finished folder; ``say`` gets one line for each step.

    Raises:
        RenderFailed: the notebook, its kernel or the page failed; ``output`` does not exist.
        RenderTimedOut: it took longer than ``job.timeout``.
    """
    begun = asyncio.get_running_loop().time()
    async with _scratch(job) as scratch:
        done = await _in_time(job, scratch, say, renderers)
        await to_the_end(publish, scratch / "out", job.output)
    if done["external"]:
        say(f"The page fetches {' and '.join(done['external'])} from a public site when it is read")
    return Rendered(
        folder=job.output,
        primary=PRIMARY,
        cells=done["cells"],
        duration=dt.timedelta(seconds=asyncio.get_running_loop().time() - begun),
        external=tuple(done["external"]),
    )


@contextlib.asynccontextmanager
async def _scratch(job: RenderJob) -> AsyncIterator[Path]:
    """A folder beside the output with a writable copy of the code, and the kernel's private folder; both removed."""
    scratch = job.output.parent / f".scratch-{new_key()}"
    try:
        await to_the_end(_prepare, job, scratch)
        yield scratch
    finally:
        await to_the_end(_remove, scratch, job.connection_dir)


def _prepare(job: RenderJob, scratch: Path) -> None:
    source = job.code_dir / job.notebook
    if not source.resolve().is_relative_to(job.code_dir.resolve()) or not source.is_file():
        raise RenderFailed(
            f"the bundle has no notebook {job.notebook!r}",
            hint="Check the entrypoint in its manifest and publish again.",
        )
    job.output.parent.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(mode=0o711)
    (scratch / "out").mkdir(mode=0o700)
    job.connection_dir.parent.mkdir(parents=True, exist_ok=True)
    job.connection_dir.mkdir(mode=0o700)
    work = scratch / "work"
    shutil.copytree(job.code_dir, work, symlinks=True, copy_function=shutil.copyfile)
    for folder, _, files in os.walk(work):
        Path(folder).chmod(0o700)  # the bundle is read-only, its copy is the notebook's to write in
        if job.user is not None:
            for path in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118
                os.chown(path, *job.user, follow_symlinks=False)


def _remove(*folders: Path) -> None:
    for folder in folders:
        remove_tree(folder)


async def _in_time(job: RenderJob, scratch: Path, say: Say, renderers: Renderers) -> dict[str, Any]:
    running = _Progress(say)
    try:
        async with asyncio.timeout(job.timeout.total_seconds()):
            return await _run(job, scratch, running, renderers)
    except TimeoutError:
        raise RenderTimedOut(
            f"still running after {human_duration(job.timeout)}, which is the limit",
            cell=running.cell,
            hint="Make it quicker, or ask an administrator to raise Applications.RenderTimeout.",
        ) from None


class _Progress:
    """Turns the job's messages into lines, and remembers which cell is running and how it ended."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.cell: int | None = None
        self.end: dict[str, Any] | None = None

    def take(self, message: dict[str, Any]) -> None:
        if "cell" in message:
            self.cell = message["cell"]
            self._say(f"cell {message['cell']} of {message['of']}")
        elif "say" in message:
            self.cell = None
            self._say(message["say"])
        else:
            self.end = message


async def _run(job: RenderJob, scratch: Path, progress: _Progress, renderers: Renderers) -> dict[str, Any]:
    renderer = await renderers.start()
    try:
        renderer.tell(json.dumps(_message(job, scratch)).encode() + b"\n")
        async with asyncio.TaskGroup() as group:
            tail = group.create_task(_tail(renderer))
            async for line in renderer.said:
                progress.take(json.loads(line))
        return _ended(progress.end, tail.result())
    finally:
        await asyncio.shield(_end(renderer))


def _message(job: RenderJob, scratch: Path) -> dict[str, Any]:
    work = scratch / "work"
    notebook = work / job.notebook
    places = KernelPlaces(connection_dir=job.connection_dir, work_dir=work, cwd=notebook.parent)
    return {
        "argv": list(job.wrap(command(job.python, job.connection_dir, job.env), places)),
        "cwd": str(places.cwd),
        "env": environment(job.python, job.connection_dir, job.env),
        "connection_dir": str(job.connection_dir),
        "notebook": str(notebook),
        "out": str(scratch / "out"),
        "title": job.title or notebook.stem,
        "execute": job.execute,
        "parameters": dict(job.parameters),
        "hide_all_input": job.hide_all_input,
        "hide_tagged_input": job.hide_tagged_input,
        "start_seconds": job.start_timeout.total_seconds(),
        "user": list(job.user) if job.user else None,
        "output_bytes": job.output_bytes,
        "memory_bytes": job.memory_bytes,
    }


async def _tail(renderer: Renderer) -> bytes:
    tail = b""
    while piece := await renderer.errors.read(65_536):
        tail = (tail + piece)[-_TAIL_BYTES:]
    return tail


def _ended(end: dict[str, Any] | None, tail: bytes) -> dict[str, Any]:
    if end is None:
        lines = plain(tail.decode("utf-8", "replace")).splitlines()[-15:]
        raise RenderFailed(
            "the renderer ended unexpectedly, most likely because the document is too large",
            lines=lines,
            hint="Make its outputs smaller; an administrator finds more in the server's log.",
        )
    if "failed" in end:
        failed = end["failed"]
        raise RenderFailed(failed["message"], cell=failed["cell"], line=failed["line"], lines=failed["lines"])
    return dict(end["done"])


async def _end(renderer: Renderer) -> None:
    """Leave nothing of the renderer and its kernel, however far they came."""
    if not renderer.ended:
        await to_the_end(end_tree, renderer.pid)
    await renderer.wait()
