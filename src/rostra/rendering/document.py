"""Renders a document by a program of its own (R, Quarto) in the sandbox; the folder it makes is complete or absent.

What the program leaves is hostile: only plain files and folders of bounded size are taken over, no link is followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import shutil
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rostra.durable import publish
from rostra.ids import new_key
from rostra.rendering.declared import declare
from rostra.rendering.job import Rendered, RenderFailed, RenderTimedOut, Say
from rostra.rendering.processes import to_the_end
from rostra.rendering.tracebacks import plain
from rostra.trees import remove_tree, walk
from rostra.units import human_duration

_KEPT_LINES = 400
_SAID_LINES = 5_000
_LARGEST_TOLD = 16_000_000  # pictures of its mail are in it
_MOST_FILES = 20_000
_MOST_BYTES = 2_000_000_000
_DEEPEST = 64  # folders in one another, as in bundles


class Shell(Protocol):
    """What `execution.shell.SandboxedShell` offers."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        readable: Sequence[Path],
        writable: Sequence[Path],
        network: bool,
        timeout: dt.timedelta,
        on_line: Callable[[str], None],
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class Folders:
    """Where one render works, all writable: ``work`` is a copy of the bundle, ``out`` takes the page and its files.

    ``told`` takes ``result.json`` (``primary``, ``metadata``) when the program knows how to write it.
    """

    work: Path
    out: Path
    told: Path


def as_it_is(line: str) -> Sequence[str]:
    return (line,) if line else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentJob:
    """One document to render.

    ``document`` is relative to ``code_dir``, which is only read (``.``: all of it); the program starts in its folder.
    ``argv`` makes the command. ``output`` is the folder to make. ``tidy`` returns what is shown of one line.
    ``failure`` reads the last lines of a program that failed. ``finish`` brings what was made into ``out`` when the
    program does not, and returns the page's name (empty: not found); ``declared`` what the document says of its files
    and mail when the program does not tell.
    """

    argv: Callable[[Folders], Sequence[str]]
    code_dir: Path
    document: str
    output: Path
    failure: Callable[[Sequence[str]], RenderFailed]
    tidy: Callable[[str], Sequence[str]] = as_it_is
    finish: Callable[[Folders], str] | None = None
    declared: Callable[[Folders], Mapping[str, Any]] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    timeout: dt.timedelta = dt.timedelta(hours=1)


async def render_document(job: DocumentJob, shell: Shell, say: Say) -> Rendered:
    """Render ``job`` and return the finished folder; ``say`` gets what the program writes.

    Raises:
        RenderFailed: with the lines that matter; ``output`` does not exist.
        RenderTimedOut: it took longer than ``job.timeout``.
        LaunchFailed: the program could not be started.
    """
    begun = asyncio.get_running_loop().time()
    async with _scratch(job) as scratch:
        folders = Folders(scratch / "work", scratch / "out", scratch / "told")
        await _run(job, folders, shell, say)
        primary = await to_the_end(_take_over, job, folders, scratch / "page")
        await to_the_end(publish, scratch / "page", job.output)
    return Rendered(
        folder=job.output,
        primary=primary,
        cells=0,
        duration=dt.timedelta(seconds=asyncio.get_running_loop().time() - begun),
    )


@contextlib.asynccontextmanager
async def _scratch(job: DocumentJob) -> AsyncIterator[Path]:
    scratch = job.output.parent / f".scratch-{new_key()}"
    try:
        await to_the_end(_prepare, job, scratch)
        yield scratch
    finally:
        await to_the_end(lambda: remove_tree(scratch))


def _prepare(job: DocumentJob, scratch: Path) -> None:
    source = job.code_dir / job.document
    if not job.document or not source.resolve().is_relative_to(job.code_dir.resolve()) or not source.exists():
        raise RenderFailed(
            f"the bundle has no document {job.document!r}"
            if job.document
            else "the bundle does not say what to render",
            hint="Name it as primary_rmd or entrypoint in the manifest and publish again.",
        )
    scratch.mkdir(parents=True, mode=0o711)
    for name in ("out", "told", "page"):
        (scratch / name).mkdir(mode=0o700)
    work = scratch / "work"
    shutil.copytree(job.code_dir, work, symlinks=True, copy_function=shutil.copyfile)
    for folder, _, _ in os.walk(work):
        Path(folder).chmod(0o700)  # the bundle is read-only, its copy is the document's to write in
    (scratch / "told" / "job.json").write_text(json.dumps(_told(job, scratch)), "utf-8")


def _told(job: DocumentJob, scratch: Path) -> dict[str, Any]:
    return {
        "input": str(scratch / "work" / job.document),
        "out": str(scratch / "out"),
        "told": str(scratch / "told" / "result.json"),
        "params": dict(job.parameters),
        "site": job.document == ".",
    }


async def _run(job: DocumentJob, folders: Folders, shell: Shell, say: Say) -> None:
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    left = _SAID_LINES

    def hear(line: str) -> None:
        nonlocal left
        for part in line.split("\r"):  # a progress bar writes over itself
            own = plain(part).rstrip().replace(f"{folders.work}/", "").replace(f"{folders.out.parent}/", "")
            for text in job.tidy(own):
                last.append(text)
                left -= 1
                if left >= 0:
                    say(text[:1000])

    document = folders.work / job.document
    try:
        code = await shell.run(
            job.argv(folders),
            env=job.env,
            cwd=document if document.is_dir() else document.parent,
            readable=job.readable,
            writable=(folders.work, folders.out, folders.told),
            network=True,
            timeout=job.timeout,
            on_line=hear,
        )
    except TimeoutError:
        raise RenderTimedOut(
            f"still running after {human_duration(job.timeout)}, which is the limit",
            lines=tuple(last)[-15:],
            hint="Make it quicker, or ask an administrator to raise Applications.RenderTimeout.",
        ) from None
    if code != 0:
        raise job.failure(tuple(last))


def _take_over(job: DocumentJob, folders: Folders, page: Path) -> str:
    """Copy what was made to ``page`` and return the name of the file to show first."""
    result = _result(folders.told / "result.json")
    primary = job.finish(folders) if job.finish else result.get("primary")
    copy_plain(folders.out, page)
    if not isinstance(primary, str) or not primary or "/" in primary or not (page / primary).is_file():
        raise RenderFailed("the program ended without an error but made no page", hint="See what it says above.")
    metadata = job.declared(folders) if job.declared else result.get("metadata")
    if isinstance(metadata, dict):
        document = folders.work / job.document
        declare(metadata, document if document.is_dir() else document.parent, page)
    return primary


def _result(path: Path) -> dict[str, Any]:
    """Return what the program told; nothing when it is no such file."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return {}
            found = json.loads(file.read(_LARGEST_TOLD))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def copy_plain(source: Path, target: Path) -> None:
    """Copy the plain files below ``source`` to ``target``; links and what begins with a dot are left out.

    Nothing may be writing in ``source`` meanwhile.

    Raises:
        RenderFailed: it is too much.
    """
    files, left = 0, _MOST_BYTES
    for folder, folders, there in walk(source):
        folders[:] = [each for each in folders if not each.name.startswith(".")]
        below = Path(folder).relative_to(source).parts
        if len(below) > _DEEPEST:
            raise RenderFailed(f"it makes folders more than {_DEEPEST} deep", hint="Write into fewer folders.")
        inside = target.joinpath(*below)
        inside.mkdir(exist_ok=True, mode=0o755)
        files += 1
        for entry in there:
            found = os.lstat(entry.path)
            if entry.name.startswith(".") or not stat.S_ISREG(found.st_mode):
                continue
            files, left = files + 1, left - found.st_size
            if files > _MOST_FILES or left < 0:
                raise RenderFailed("it makes more files than are kept", hint="Write fewer or smaller files.")
            shutil.copyfile(entry.path, inside / entry.name, follow_symlinks=False)
