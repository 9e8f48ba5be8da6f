"""Notebook to page against the command line tools for it (goal P16), and a heap of schedules that are due at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rostra.rendering.job import RenderJob
from rostra.rendering.notebook import render
from rostra.rendering.ready_kernels import Budget, ReadyKernels
from rostra.rendering.renderers import PlainRenderers, Renderers, WarmRenderers

NAME = "rendering"
_CELLS = 20


def run(quick: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="rostra-bench-") as made:
        folder = Path(made)
        python = _environment(folder)
        found = []
        for name, source in (("small", _notebook()), ("pandas", _frames())):
            bundle = folder / name / "bundle"
            bundle.mkdir(parents=True)
            (bundle / "report.ipynb").write_text(source)
            found += _pages(folder / name, python, rounds=3 if quick else 7)
        found.append(_drained(folder, 50 if quick else 200))
    return found


WHAT = {"small": f"a notebook of {_CELLS} cells", "pandas": "one that imports pandas and draws with matplotlib"}


def _pages(folder: Path, python: Path, rounds: int) -> list[dict[str, Any]]:
    """Pages made one after the other, as a server makes them whose renderers' parent is warm; and with that off."""
    with asyncio.Runner() as runner:
        warm = WarmRenderers(lambda: True, nice=0)  # the peers are not polite either
        ready = ReadyKernels(warm, lambda: Budget(8_000_000_000, 600))
        runner.run(warm.warm())
        try:
            return _compared(folder, python, rounds, runner, warm, ready)
        finally:
            runner.run(ready.__aexit__(None, None, None))
            runner.run(warm.__aexit__(None, None, None))


def _compared(
    folder: Path, python: Path, rounds: int, runner: asyncio.Runner, warm: WarmRenderers, ready: ReadyKernels
) -> list[dict[str, Any]]:
    plain = PlainRenderers()
    ways: dict[str, Callable[[int], None]] = {
        "again": lambda number: _again(folder, python, f"a{number}", runner, warm, ready),
        "first": lambda number: _ours(folder, python, f"w{number}", runner, warm),
        "the nbconvert command": lambda number: _nbconvert(folder, python, number),
        "WarmRendering = false": lambda number: _ours(folder, python, f"p{number}", runner, plain),
    }
    if (python.parent / "papermill").exists():
        ways["papermill"] = lambda number: _papermill(folder, python, number)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, rounds):  # the first round warms the disk
        for name, way in ways.items():
            if name == "again":
                runner.run(_prepared(ready, _job(folder, python, f"r{number}")))
            begun = time.perf_counter()
            way(number)
            if number >= 0:
                took[name].append(time.perf_counter() - begun)
    again, first, *others = ((name, statistics.median(times)) for name, times in took.items())
    return [
        _row(f"{WHAT[folder.name]}, rendered {time_}, against {name}", seconds, peer, name)
        for time_, seconds in (("again", again[1]), ("for the first time", first[1]))
        for name, peer in others
    ]


def _row(what: str, ours: float, peer: float, name: str) -> dict[str, Any]:
    target = 1.0 if name.startswith("WarmRendering") else 4.0
    return {
        "goal": "P16",
        "what": what,
        "ours": ours,
        "peer": peer,
        "unit": "s",
        "ratio": peer / ours,
        "target": target,
        "met": peer / ours >= target,
    }


def _environment(folder: Path) -> Path:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    root = folder / "content"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(root)], check=True)
    python = root / "bin/python"
    install = [uv, "pip", "install", "-q", "--python", str(python), "ipykernel", "nbconvert", "pandas", "matplotlib"]
    if subprocess.run([*install, "papermill"], check=False).returncode:
        subprocess.run(install, check=True)
    subprocess.run([python, "-m", "compileall", "-q", root / "lib"], check=False, stdout=subprocess.DEVNULL)
    return python


def _notebook() -> str:
    return _of([f"total = sum(range({n}))\nprint(total)" for n in range(_CELLS)])


def _frames() -> str:
    return _of(
        [
            "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt",
            "frame = pd.DataFrame({'x': np.arange(100), 'y': np.sin(np.arange(100) / 10)})\nframe.describe()",
            "frame.plot(x='x', y='y')\nplt.show()",
        ]
    )


def _of(sources: Sequence[str]) -> str:
    cells = [
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": f"c{n}"}
        for n, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def _job(folder: Path, python: Path, number: str) -> RenderJob:
    return RenderJob(
        python=python,
        code_dir=folder / "bundle",
        notebook="report.ipynb",
        output=folder / f"out{number}",
        connection_dir=folder / f"k{number}",
    )


def _ours(folder: Path, python: Path, number: str, runner: asyncio.Runner, renderers: Renderers) -> None:
    runner.run(render(_job(folder, python, number), lambda _: None, renderers))


async def _prepared(ready: ReadyKernels, job: RenderJob) -> None:
    ready.prepare("item", job)
    await ready.made()


def _again(
    folder: Path, python: Path, number: str, runner: asyncio.Runner, renderers: Renderers, ready: ReadyKernels
) -> None:
    async def again() -> None:
        job = _job(folder, python, number)
        taken = await ready.take("item", job)
        assert taken is not None, "no kernel was ready"
        await render(job, lambda _: None, renderers, taken)

    runner.run(again())


def _nbconvert(folder: Path, python: Path, number: int) -> None:
    command = ["-m", "nbconvert", "--to", "html", "--execute", "--output", f"{folder}/nbconvert{number}.html"]
    subprocess.run([python, *command, folder / "bundle/report.ipynb"], check=True, capture_output=True)


def _papermill(folder: Path, python: Path, number: int) -> None:
    made = folder / f"papermill{number}.ipynb"
    command = [python, "-m", "papermill", folder / "bundle/report.ipynb", made, "-k", "python3"]
    subprocess.run(command, check=True, capture_output=True)
    page = [python, "-m", "nbconvert", "--to", "html", made]
    subprocess.run(page, check=True, capture_output=True)


def _drained(folder: Path, count: int) -> dict[str, Any]:
    """How long it takes to begin ``count`` due schedules, against writing as many rows one by one."""
    begin, plain = asyncio.run(_due(folder / "due", count))
    return {
        "goal": "",
        "what": f"begin {count} schedules that are due at once, against as many plain transactions",
        "ours": begin,
        "peer": plain,
        "unit": "s",
        "ratio": plain / begin,
        "target": 0.2,
        "met": plain / begin >= 0.2,
    }


async def _due(folder: Path, count: int) -> tuple[float, float]:
    import sqlalchemy as sa

    from rostra.config.sections import Server, Settings
    from rostra.db.engine import open_engine, session_factory, transaction
    from rostra.db.schema import upgrade
    from rostra.jobs import queue
    from rostra.rendering import schedules
    from rostra.rendering.tables import ScheduleRow

    folder.mkdir()
    engine = open_engine(Settings(server=Server(data_dir=folder)))
    try:
        await upgrade(engine)
        sessions, now = session_factory(engine), dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)
        async with transaction(sessions) as session:
            await _fill(session, count, now)

        async with transaction(sessions) as session:
            await session.execute(sa.select(ScheduleRow).limit(1))
        begun = time.perf_counter()
        total = 0
        while total < count:
            async with transaction(sessions) as session:

                async def start(due: schedules.Due) -> None:
                    payload = {"variant_id": due.variant.id}
                    await queue.enqueue(session, schedules.SCHEDULED, payload, now, subject=due.item.guid)

                total += await schedules.run_due(session, now, start)
        took = time.perf_counter() - begun
        begun = time.perf_counter()
        for number in range(count):
            async with transaction(sessions) as session:
                await queue.enqueue(session, "plain", {}, now, subject=f"other{number}")
        return took, time.perf_counter() - begun
    finally:
        await engine.dispose()


async def _fill(session: Any, count: int, now: dt.datetime) -> None:
    from rostra.auth.tables import User
    from rostra.content.tables import Item
    from rostra.rendering import schedules, variants

    user = User(guid="u", username="ada", role="publisher", created_at=now, updated_at=now)
    session.add(user)
    await session.flush()
    for number in range(count):
        item = Item(
            guid=f"g{number}", owner_id=user.id, name=f"n{number}", description="", kind="jupyter-static",
            content_category="", access_type="acl", locked=False, locked_message="", settings={}, live_bundle_id=1,
            created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(item)
        await session.flush()
        variant = await variants.default(session, item, now)
        wanted = schedules.Wanted(every="hour", payload='{"N":1}', start=now, zone="UTC")
        await schedules.create(session, variant, wanted, user_id=user.id, now=now - dt.timedelta(hours=1))
