"""One sort of content. Every kind is a value of this type; `registry.by_name` finds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rostra.environments.spec import Environment


class Mode(StrEnum):
    interactive = "interactive"  # a process answers visits
    rendered = "rendered"  # made ahead of the visit, kept as revisions, no process while viewing
    static = "static"  # files served as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class StartContext:
    """What a kind needs to know to say how its content starts.

    ``base_path`` is where visitors reach it, with both slashes: ``/content/{guid}/``; requests arrive with it.
    ``public_url`` is the same as an absolute URL. ``overlay`` is the site-packages folder of the server's own ASGI and
    WSGI servers for this interpreter. ``socket`` is where it must listen. ``code_dir`` is the unpacked bundle.
    ``r`` is the R program of content that needs one; then there may be no Python ``environment``, and no overlay.
    """

    entrypoint: str
    code_dir: Path
    environment: Environment | None
    overlay: Path | None
    socket: Path
    base_path: str
    public_url: str
    options: Mapping[str, object] = field(default_factory=dict)
    r: Path | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The command and the variables this kind adds. ``argv[0]`` is the content's own interpreter, or its R."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def as_named(_folder: Path, named: str) -> str:
    return named


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One ``app_mode``.

    ``name`` and ``number`` are the wire's. ``title`` is for people. ``start`` is None unless ``mode`` is interactive.
    ``additions`` are packages the server needs in the environment. ``job_tag`` names its processes on the wire.
    ``sticky``: a visitor stays on one process (its state lives in memory there).
    ``api``: programs rather than people are the usual visitors (no waiting page unless HTML is asked for).
    ``r`` names the packages that the R for it must have (``pandoc`` is the program); None: it needs no R.
    ``quarto``: it is made by Quarto. Content of either sort has a Python environment when its manifest asks for one.
    ``document`` returns which file of a bundle's folder is the document, from the one its manifest names.
    ``stripped``: its server knows no base path, so requests arrive as if it were mounted at ``/``.
    ``refusal`` says in one sentence why Rostra does not run this kind; empty when it does (`registry.runnable`).
    """

    name: str
    number: int
    title: str
    mode: Mode
    python: bool = True
    start: Callable[[StartContext], Start] | None = None
    additions: tuple[str, ...] = ()
    job_tag: str = "unknown"
    sticky: bool = True
    api: bool = False
    r: tuple[str, ...] | None = None
    quarto: bool = False
    document: Callable[[Path, str], str] = as_named
    stripped: bool = False
    refusal: str = ""
