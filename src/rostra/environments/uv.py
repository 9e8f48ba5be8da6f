"""Environments by uv: the commands, pure, and the three steps of the procedure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from rostra.environments.index import IndexSettings
from rostra.environments.lock import hashes_in
from rostra.environments.requirements import Requirements
from rostra.environments.site import Say, Site, silent
from rostra.environments.spec import Package

NAME = "uv"
_INSTALLED = re.compile(r"^ \+ (?P<name>\S+?)==(?P<version>\S+)")
_CHATTER = re.compile(r"^(Using Python |Using CPython |Creating virtual environment|Activate with)")


def venv_argv(uv: Path, python: Path, target: Path) -> tuple[str, ...]:
    """Scripts find their interpreter relative to themselves, because the environment is renamed when it is ready."""
    return (str(uv), "venv", "--relocatable", "--no-project", "--python", str(python), str(target))


def install_argv(
    uv: Path, python: Path, wanted: Requirements, folder: Path, *, build: bool, no_index: bool = False
) -> tuple[str, ...]:
    argv = [str(uv), "pip", "install", "--python", str(python), "-r", str(folder / "requirements.txt")]
    if wanted.constraints:
        argv += ["-c", str(folder / "constraints.txt")]
    if wanted.options.require_hashes:
        argv.append("--require-hashes")
    if no_index:
        argv.append("--no-index")
    if not build:
        return (*argv, "--no-build")
    for name in wanted.options.no_binary:
        argv += ["--no-binary", name]
    for name in wanted.options.only_binary:
        argv += ["--only-binary", name]
    return tuple(argv)


def hashes_argv(uv: Path, python: Path, frozen: Path, *, build: bool = False) -> tuple[str, ...]:
    """The base interpreter is named: asking the environment's own would run what packages left in ``.pth`` files.

    ``build`` lets sources be looked at, which are code; for an environment that was built from some anyway.
    """
    options = ["--offline", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    options += [] if build else ["--no-build"]
    return (str(uv), "pip", "compile", *options, "--prerelease", "allow", "--python", str(python), str(frozen))


def variables(index: IndexSettings, cache: Path) -> dict[str, str]:
    fixed = {
        "UV_CACHE_DIR": str(cache),
        "UV_LINK_MODE": "hardlink",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_EDITABLE": "1",
        "NO_COLOR": "1",
    }
    return index.uv_environment() | ({"UV_PRERELEASE": "allow"} if index.pre else {}) | fixed


def reported(line: str) -> str:
    """Return the line as clients know it: what is installed is told in the words they count."""
    found = _INSTALLED.match(line)
    return f"Collecting {found['name']}=={found['version']}" if found else line


async def make(site: Site) -> str:
    """Make the empty environment; return why uv cannot, or an empty string."""
    heard: list[str] = []
    argv = venv_argv(site.tools.uv, site.runtime.executable, site.env)
    code, _ = await _run(site, argv, heard.append)
    told = [line for line in heard if not _CHATTER.match(line)]
    return "" if code == 0 else (told[0] if told else f"exit status {code}")


async def install(site: Site, wanted: Requirements, *, build: bool) -> tuple[int, list[str]]:
    """Install from ``requirements.txt`` in the site; without ``build`` no code of a package runs."""

    def hear(line: str) -> None:
        if found := _INSTALLED.match(line):
            site.installed.add(f"{found['name']}=={found['version']}")
        if not _CHATTER.match(line):
            site.say(reported(line))

    argv = install_argv(site.tools.uv, site.python, wanted, site.root, build=build, no_index=site.index.no_index)
    return await _run(site, argv, hear)


async def hashes(site: Site, packages: list[Package]) -> Mapping[str, tuple[str, ...]]:
    """Return {name: hashes of its files} from what the cache already knows; empty when it does not know all."""
    frozen = site.root / "frozen.txt"
    frozen.write_text("".join(f"{p.name}=={p.version}\n" for p in packages), encoding="utf-8")
    argv = hashes_argv(site.tools.uv, site.runtime.executable, frozen, build=site.private)
    argv += ("--no-index",) if site.index.no_index else ()
    code, lines = await _run(site, argv, silent, network=False)
    return hashes_in("\n".join(lines)) if code == 0 else {}


async def _run(site: Site, argv: tuple[str, ...], on_line: Say, *, network: bool = True) -> tuple[int, list[str]]:
    return await site.run(
        argv,
        env=variables(site.index, site.cache(site.tools.uv_cache)),
        network=network,
        readable=(site.tools.uv,),
        on_line=on_line,
    )
