"""Environments by the interpreter's own venv and pip: the commands, pure, and the three steps of the procedure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from rostra.environments.folders import read_plain
from rostra.environments.index import IndexSettings
from rostra.environments.requirements import Requirements
from rostra.environments.site import Site
from rostra.environments.spec import Package

NAME = "pip"


def venv_argv(python: Path, target: Path) -> tuple[str, ...]:
    return (str(python), "-I", "-m", "venv", str(target))


def install_argv(
    python: Path, wanted: Requirements, folder: Path, *, build: bool, report: Path | None = None
) -> tuple[str, ...]:
    argv = [str(python), "-m", "pip", "install", "--no-compile", "-r", str(folder / "requirements.txt")]
    if wanted.constraints:
        argv += ["-c", str(folder / "constraints.txt")]
    if wanted.options.require_hashes:
        argv.append("--require-hashes")
    argv += ["--report", str(report)] if report else []
    if not build:
        return (*argv, "--only-binary", ":all:")
    argv.append("--use-pep517")  # older pips run setup.py in place otherwise, which leaves no proper record
    for name in wanted.options.no_binary:
        argv += ["--no-binary", name]
    for name in wanted.options.only_binary:
        argv += ["--only-binary", name]
    return tuple(argv)


def variables(index: IndexSettings, cache: Path) -> dict[str, str]:
    fixed = {
        "PIP_CACHE_DIR": str(cache),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_COLOR": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_NO_WARN_SCRIPT_LOCATION": "1",
    }
    return index.pip_environment() | ({"PIP_PRE": "1"} if index.pre else {}) | fixed


async def make(site: Site) -> str:
    """Make the environment with pip in it; return why not, or an empty string."""
    code, lines = await site.run(venv_argv(site.runtime.executable, site.env), env={}, network=False)
    return "" if code == 0 else (lines[-1] if lines else f"exit status {code}")


async def install(site: Site, wanted: Requirements, *, build: bool) -> tuple[int, list[str]]:
    """Install from ``requirements.txt`` in the site; without ``build`` no code of a package runs."""
    cache = site.cache(site.tools.pip_cache)
    report = _report(site) if await _can_report(site) else None
    return await site.run(
        install_argv(site.python, wanted, site.root, build=build, report=report),
        env=variables(site.index, cache),
        network=True,
    )


async def hashes(site: Site, packages: list[Package]) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG001
    """Return {name: hash of the file that was installed}; empty when this pip cannot tell."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        return hashes_of_report(json.loads(read_plain(_report(site))))
    return {}


def hashes_of_report(report: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    installs = report["install"]
    assert isinstance(installs, list)
    for one in installs:
        known = one["download_info"].get("archive_info", {}).get("hashes", {})
        if "sha256" in known:
            found[canonicalize_name(one["metadata"]["name"])] = (f"sha256:{known['sha256']}",)
    return found


def relocate(env: Path, final: Path) -> None:
    """Put the final path in the place of the scratch one, in scripts and ``pyvenv.cfg``. Links are not followed."""
    before, after = str(env).encode(), str(final).encode()
    for path in (env / "pyvenv.cfg", *sorted((env / "bin").iterdir())):
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if before in data and b"\0" not in data:
            path.write_bytes(data.replace(before, after))


async def _can_report(site: Site) -> bool:
    """``--report`` came with pip 22.2."""
    folders = sorted(site.env.glob("lib/*/site-packages/pip-*.dist-info"))
    version = folders[0].name.removeprefix("pip-").removesuffix(".dist-info").split(".") if folders else ["0", "0"]
    return tuple(int(part) if part.isdigit() else 0 for part in version[:2]) >= (22, 2)


def _report(site: Site) -> Path:
    return site.box / "report.json"
