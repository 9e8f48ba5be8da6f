"""Finds out by really doing it what becomes of each item of the corpus: ``python -m benchmarks.rehearsal_truth``.

Uses nothing of the rehearsal itself: interpreters, the installer's own command line and the runner. Writes
``tests/rehearsal/corpus/truth.json``. Names of items may be given; the others keep what they have.

A dashboard is opened in a browser, and works when it shows what it should, its buttons pressed.

- **safe**: the versions of today install, and every page of the item answers as today;
- **new-pins**: they do not, but newer ones do, and then every page answers as today (everything newest, or only moving
  what must move: either will do);
- **needs-work**: it installs, in one of these ways, and does not start, answer or render in any of them;
- **impossible**: it does not install in any of them.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from rehearsal.corpus import ITEMS, TRUTH, Item
from support import interpreters
from support.content_environments import OVERLAY
from support.content_process import running
from support.seen import shows

from rostra.ids import new_key
from rostra.rendering.job import RenderFailed, RenderJob
from rostra.rendering.notebook import render

_UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
_SECONDS = 900


@dataclass(frozen=True)
class Tried:
    installed: bool
    statuses: tuple[int | str, ...] = ()
    detail: str = ""


def uv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_UV, *words], capture_output=True, text=True, timeout=_SECONDS, check=False)


def overlay(python: Path, folder: Path) -> Path:
    place = folder / f"overlay-{python.parent.parent.name}"
    if not place.exists():
        done = uv("pip", "install", "-q", "--python", str(python), "--target", str(place), *OVERLAY)
        assert done.returncode == 0, done.stderr
    return place


def attempt(item: Item, python: Path, lines: Sequence[str], folder: Path, *options: str) -> Tried:
    """Install ``lines`` into a new environment and use every page of the item."""
    env = folder / f"env-{new_key(8)}"
    assert uv("venv", "-q", "--python", str(python), str(env)).returncode == 0
    documented = item.mode == "jupyter-static"
    wanted = [*lines, *(["ipykernel"] if documented else [])]
    if wanted:
        (env / "wanted.txt").write_text("\n".join(wanted) + "\n")
        done = uv("pip", "install", "--python", str(env / "bin/python"), "-r", str(env / "wanted.txt"), *options)
        if done.returncode != 0:
            shutil.rmtree(env)
            return Tried(False, detail=_last(done.stderr))
    code = folder / f"code-{new_key(8)}"
    for name, text in item.tree("3.8.0").items():
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(text)
    try:
        used = _render(item, env, code, folder) if documented else _ask(item, env, code, overlay(python, folder))
    finally:
        frozen = uv("pip", "freeze", "--python", str(env / "bin/python")).stdout
        (folder / "frozen.txt").write_text(frozen)
        shutil.rmtree(env)
        shutil.rmtree(code)
    return used


def _ask(item: Item, env: Path, code: Path, servers: Path) -> Tried:
    kind = {"python-api": "wsgi", "python-fastapi": "asgi"}.get(item.kind, item.kind.partition("-")[2])
    dashboard = kind not in ("wsgi", "asgi")
    statuses: list[int | str] = []
    with running(env / "bin/python", kind, item.entrypoint, code, overlay=servers, wait=False) as content:
        try:
            content.wait_until_ready(60)
        except AssertionError:
            return Tried(True, ("does not start",), _last(content.log))
        if dashboard:
            if shows(content, "fine", item.clicks):
                return Tried(True, ("works",))
            return Tried(True, ("does not work",), _last(content.log))
        for path in item.paths:
            try:
                statuses.append(content.get(path).status // 100)
            except OSError:
                statuses.append("breaks off")
        return Tried(True, tuple(statuses), _last(content.log) if 5 in statuses else "")


def _render(item: Item, env: Path, code: Path, folder: Path) -> Tried:
    with tempfile.TemporaryDirectory(prefix="rk-") as private:  # short: sockets lie in it
        job = RenderJob(
            python=env / "bin/python",
            code_dir=code,
            notebook=item.entrypoint,
            output=folder / new_key(8),
            connection_dir=Path(private) / "k",
        )
        try:
            asyncio.run(render(job, lambda _: None))
        except RenderFailed as why:
            return Tried(True, ("does not render",), why.message)
    return Tried(True, ("rendered",))


def find(item: Item, folder: Path) -> dict[str, Any]:
    """Return the outcome, whether the versions of today install on the new Python, and what decided it."""
    on, onto = interpreters.minor(item.on), interpreters.minor(item.onto)
    assert on is not None, item.on
    assert onto is not None, item.onto
    today = attempt(item, on, item.requires, folder)
    assert today.installed, f"{item.name} does not install today: {today.detail}"
    lock = folder / "lock.txt"
    lock.write_text("".join(f"{line}\n" for line in (folder / "frozen.txt").read_text().splitlines() if "==" in line))
    if item.range:
        return {"outcome": "needs-work", "installs": True, "detail": f"its range {item.range} has to be widened"}
    same = attempt(item, onto, item.requires, folder, "-c", str(lock))
    if same.installed:
        good = same.statuses == today.statuses and today.statuses[0] not in ("does not start", "does not work", 5)
        return {"outcome": "safe" if good else "needs-work", "installs": True, "detail": same.detail}
    outcome, detail = _newer(item, onto, folder, lock, today)
    return {"outcome": outcome, "installs": False, "detail": detail or same.detail}


def _newer(item: Item, onto: Path, folder: Path, lock: Path, today: Tried) -> tuple[str, str]:
    names = [re.split(r"[=<>]", line)[0] for line in item.requires]
    pinned = dict(line.split("==") for line in lock.read_text().split())
    least = [f"{name}>={pinned[name.lower()]}" if name.lower() in pinned else name for name in names]
    tried = [
        attempt(item, onto, item.requires, folder),
        attempt(item, onto, names, folder, "--no-build"),
        attempt(item, onto, least, folder, "--no-build", "--resolution", "lowest-direct"),
    ]
    if any(each.installed and each.statuses == today.statuses for each in tried):
        return "new-pins", ""
    if any(each.installed for each in tried):
        return "needs-work", next(each.detail for each in tried if each.installed)
    return "impossible", ""


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b|error:|×|Because|cause:", line)]
    return (errors or lines or [""])[-1][:240]


def main(names: Sequence[str]) -> None:
    found = json.loads(TRUTH.read_text()) if TRUTH.exists() else {}
    with tempfile.TemporaryDirectory(prefix="rtruth-") as place:
        for item in ITEMS:
            if names and item.name not in names:
                continue
            found[item.name] = {**find(item, Path(place)), "on": item.on, "onto": item.onto}
            print(f"{item.name:24} {found[item.name]['outcome']:12} {found[item.name]['detail'][:100]}", flush=True)
            kept = {each.name: found[each.name] for each in ITEMS if each.name in found}
            TRUTH.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
