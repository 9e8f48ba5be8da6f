"""Bytecode compiled once for each source file and interpreter, shared by every environment as hard links.

A pyc is filed under the digest of the very bytes it was compiled from, so nothing a package says of itself can make it
answer for another's source. Files are read-only and belong to the server.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio

from rostra.durable import sync_everything_under
from rostra.environments import compile_files
from rostra.environments.folders import own, read_plain, scratch
from rostra.environments.site import Site, silent
from rostra.runtimes.model import Runtime

_TESTS = re.compile(r"/tests?/")  # a third of what scientific packages bring, and content does not import it
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Source:
    """One source file: its path, and the digest its package's record tells (empty: not told)."""

    path: str
    digest: str


def shelf(store: Path, runtime: Runtime) -> Path:
    """Return the folder for one interpreter's bytecode. Pre-releases change the format under one cache tag."""
    tag = runtime.cache_tag
    return store / (f"{tag}-{runtime.version}" if runtime.version.is_prerelease else tag)


async def provide(site: Site, site_packages: Path) -> tuple[int, int]:
    """Put bytecode beside the source files below ``site_packages``; return (taken from the store, compiled).

    Packages' own tests are left out.
    """
    folder = shelf(site.tools.bytecode, site.runtime)
    sources = await anyio.to_thread.run_sync(lambda: list(sources_in(site_packages)))
    missing = await anyio.to_thread.run_sync(_link_known, sources, folder, site.runtime.cache_tag)
    wanted = [source for source in missing if not _TESTS.search(source.path.removeprefix(str(site_packages)))]
    if wanted:
        await _compile(site, wanted, folder)
    return len(sources) - len(missing), len(wanted)


def sources_in(site_packages: Path) -> Iterator[Source]:
    """Yield the source files that installed packages record, none of them reached through a link."""
    real: dict[str, bool] = {str(site_packages): True}
    for record in sorted(site_packages.glob("*.dist-info/RECORD")):
        with contextlib.suppress(OSError, csv.Error):
            for row in csv.reader(read_plain(record).splitlines()):
                if row and row[0].endswith(".py") and not row[0].startswith(("/", "..")) and "/../" not in row[0]:
                    path = f"{site_packages}/{row[0]}"
                    if _is_real(os.path.dirname(path), real) and not os.path.islink(path):  # noqa: PTH114, PTH120
                        yield Source(path, told_digest(row[1] if len(row) > 1 else ""))


def _is_real(folder: str, known: dict[str, bool]) -> bool:
    """Say whether no part of ``folder`` below site-packages is a link, which would lead the server elsewhere."""
    if folder not in known:
        parent = os.path.dirname(folder)  # noqa: PTH120
        known[folder] = len(parent) > 1 and _is_real(parent, known) and not os.path.islink(folder)  # noqa: PTH114
    return known[folder]


def told_digest(told: str) -> str:
    """Return the digest a record tells of a file in hexadecimal, empty when it tells none we know."""
    kind, _, value = told.partition("=")
    if kind != "sha256":
        return ""
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except ValueError:
        return ""


def _link_known(sources: Iterable[Source], folder: Path, tag: str) -> list[Source]:
    """Link what the store has; return what it has not. An empty file says: does not compile, do not try again."""
    made: set[str] = set()
    shelf_name = str(folder)
    missing: list[Source] = []
    for source in sources:
        if not source.digest or not _link(f"{shelf_name}/{source.digest[:2]}/{source.digest}.pyc", source, tag, made):
            missing.append(source)
    return missing


def _link(pyc: str, source: Source, tag: str, made: set[str]) -> bool:
    folder, name = os.path.split(source.path)
    cache = f"{folder}/__pycache__"
    if cache not in made:
        with contextlib.suppress(FileExistsError):
            os.mkdir(cache)  # noqa: PTH102
        if os.path.islink(cache):  # noqa: PTH114
            return True  # somebody wants us to write elsewhere
        made.add(cache)
    target = f"{cache}/{name[:-3]}.{tag}.pyc"
    try:
        if os.stat(pyc).st_size:  # noqa: PTH116
            _hard_link(pyc, target)
    except FileNotFoundError:
        return False
    return True


def _hard_link(pyc: str, target: str) -> None:
    try:
        os.link(pyc, target)
    except FileExistsError:  # a wheel that ships its own
        os.unlink(target)  # noqa: PTH108
        os.link(pyc, target)
    except OSError as why:
        if why.errno not in (errno.EMLINK, errno.EXDEV, errno.EPERM):
            raise
        fresh = f"{pyc}.{os.getpid()}"
        shutil.copy2(pyc, fresh)  # the file has all the links it may have: a new one takes over
        os.replace(fresh, pyc)  # noqa: PTH105
        with contextlib.suppress(OSError):
            os.link(pyc, target)


async def _compile(site: Site, missing: list[Source], folder: Path) -> None:
    async with scratch(site.tools.bytecode) as place:
        job, out = place / "job", place / "out"
        out.mkdir()
        named = [source for source in missing if "\n" not in source.path]
        job.write_text("\n".join(source.path for source in named), encoding="utf-8", errors="surrogateescape")
        script = Path(compile_files.__file__)
        workers = site.tools.workers if len(named) > 20 else 1
        argv = (str(site.runtime.executable), "-I", "-S", str(script), str(job), str(out), str(workers))
        await site.run(
            argv, env={}, network=False, readable=(script, job, site.env), writable=(out,), on_line=silent
        )  # a failure costs time at every start of content, nothing else
        await anyio.to_thread.run_sync(_shelve, named, out, folder, site.runtime.cache_tag)


def _shelve(sources: list[Source], out: Path, folder: Path, tag: str) -> None:
    """Move new bytecode into the store and link it. Nothing gets its name there before its content is on disk."""
    sync_everything_under(out)
    made: set[str] = set()
    for done in sorted(out.glob("done-*")):
        for line in read_plain(done).splitlines():
            number, digest, fine = _result(line, len(sources))
            if number is None:
                continue
            target = folder / digest[:2] / f"{digest}.pyc"
            target.parent.mkdir(parents=True, exist_ok=True)
            if fine:
                with contextlib.suppress(FileNotFoundError):  # two lines may name equal sources
                    own(str(out / f"{digest}.pyc"), os.lstat(out / f"{digest}.pyc"))
                    os.replace(out / f"{digest}.pyc", target)  # noqa: PTH105
            elif not target.exists():
                target.touch(mode=0o444)
            _link(str(target), sources[number], tag, made)


def _result(line: str, count: int) -> tuple[int | None, str, bool]:
    words = line.split(" ")
    if len(words) != 3 or not words[0].isdecimal() or int(words[0]) >= count:
        return None, "", False
    good = len(words[1]) == 64 and set(words[1]) <= _HEX
    return (int(words[0]) if good else None), words[1], words[2] == "1"
