"""What a render is told, what it gives back, and how it can fail. Plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rostra.errors import Invalid

Say = Callable[[str], None]
PRIMARY = "index.html"  # the page of a rendering
MAIL_BODY = ".mail.html"  # the HTML that takes the page's place in its mail
MAIL_FACTS = ".mail.json"  # beside it: what the document says about its mail; begins with a dot, so nobody is sent it


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPlaces:
    """The folders a kernel needs to see, all absolute.

    ``connection_dir`` (writable) holds the connection file, the sockets and the home folder; its path must be the same
    inside, because socket paths are written in the connection file. ``work_dir`` (writable) is the render's own copy of
    the bundle, and ``cwd`` the notebook's folder in it.
    """

    connection_dir: Path
    work_dir: Path
    cwd: Path


KernelCommand = Callable[[Sequence[str], KernelPlaces], Sequence[str]]
"""Turns the kernel's own argv into the one to run: in a sandbox, as another user. Must keep the variables."""


def unwrapped(argv: Sequence[str], _places: KernelPlaces) -> Sequence[str]:
    """The `KernelCommand` that protects nothing."""
    return argv


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """One notebook to render.

    ``python`` is the content's own interpreter; its environment holds ipykernel. ``notebook`` is relative to
    ``code_dir``, which is only read. ``output`` is the folder to make: it must not exist, and appears complete or not
    at all. ``connection_dir`` must not exist either; at most 80 bytes long, because socket paths are limited to 107.
    ``env`` is everything the kernel gets besides what it needs to run at all, and ``late`` what is good for this render
    alone, credentials; a kernel that is made ready before knows the first only. ``execute`` False shows the outputs
    that the notebook carries. ``user`` is the (uid, gid) that ``wrap`` makes the kernel run as.
    ``parameters`` take the place of those its cell tagged ``parameters`` sets.
    ``output_bytes`` bounds what all cells may print and draw, ``memory_bytes`` the renderer itself (not the kernel).
    """

    python: Path
    code_dir: Path
    notebook: str
    output: Path
    connection_dir: Path
    title: str = ""
    wrap: KernelCommand = unwrapped
    env: Mapping[str, str] = field(default_factory=dict)
    late: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    execute: bool = True
    hide_all_input: bool = False
    hide_tagged_input: bool = False
    timeout: dt.timedelta = dt.timedelta(hours=1)
    start_timeout: dt.timedelta = dt.timedelta(seconds=60)
    user: tuple[int, int] | None = None
    output_bytes: int = 50_000_000
    memory_bytes: int = 4_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A finished rendering.

    ``primary`` is the file in ``folder`` to show first. ``external`` names the script libraries that the page fetches
    from public sites when it is read; empty for a self-contained one.
    """

    folder: Path
    primary: str
    cells: int
    duration: dt.timedelta
    external: tuple[str, ...] = ()


class RenderFailed(Invalid):
    """The document could not be made.

    ``cell`` counts the code cells that run, from 1, as notebooks number them (``In [3]``); ``line`` counts from 1 in
    that cell. Both are None when the failure is not in a cell. ``lines`` are the decisive lines of its output, without
    colours.
    """

    code = "render-failed"

    def __init__(
        self,
        message: str,
        *,
        cell: int | None = None,
        line: int | None = None,
        lines: Sequence[str] = (),
        hint: str = "Run the notebook from top to bottom where it was written, correct it, and publish it again.",
    ) -> None:
        self.cell = cell
        self.line = line
        self.lines = tuple(lines)
        super().__init__(f"{_place(cell, line)}{message}", hint=hint)


class RenderTimedOut(RenderFailed):
    """The document took longer than it may; ``cell`` is the one that was running."""

    code = "render-timed-out"


def _place(cell: int | None, line: int | None) -> str:
    if cell is None:
        return ""
    return f"cell {cell}: " if line is None else f"cell {cell}, line {line}: "
