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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rostra.rendering.job import RenderJob
from rostra.rendering.notebook import render
from rostra.rendering.renderers import PlainRenderers, Renderers, WarmRenderers

NAME = "rendering"
_CELLS = 20


def run(quick: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="rostra-bench-") as made:
        folder = Path(made)
        python = _environment(folder)
        (folder / "bundle").mkdir()
        (folder / "bundle/report.ipynb").write_text(_notebook())
        found = _pages(folder, python, rounds=3 if quick else 7)
        found.append(_drained(folder, 50 if quick else 200))
    return found


def _pages(folder: Path, python: Path, rounds: int) -> list[dict[str, Any]]:
    """Pages made one after the other, as a server makes them whose renderers' parent is warm; and with that off."""
    with asyncio.Runner() as runner:
        warm = WarmRenderers(lambda: True, nice=0)  # the peers are not polite either
        runner.run(warm.warm())
        try:
            return _compared(folder, python, rounds, runner, warm)
        finally:
            runner.run(warm.__aexit__(None, None, None))


def _compared(
    folder: Path, python: Path, rounds: int, runner: asyncio.Runner, warm: WarmRenderers
) -> list[dict[str, Any]]:
    ways: dict[str, Callable[[int], None]] = {
        "ours": lambda number: _ours(folder, python, f"w{number}", runner, warm),
        "nbconvert": lambda number: _nbconvert(folder, python, number),
        "ours with WarmRendering = false": lambda number: _ours(folder, python, f"p{number}", runner, PlainRenderers()),
    }
    if (python.parent / "papermill").exists():
        ways["papermill"] = lambda number: _papermill(folder, python, number)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-1, rounds):  # the first round warms the disk
        for name, way in ways.items():
            begun = time.perf_counter()
            way(number)
            if number >= 0:
                took[name].append(time.perf_counter() - begun)
    ours = statistics.median(took.pop("ours"))
    return [
        {
            "goal": "P16",
            "what": f"a notebook of {_CELLS} cells to a page, against {name}",
            "ours": ours,
            "peer": statistics.median(times),
            "unit": "s",
            "ratio": statistics.median(times) / ours,
            "target": 1.0 if name.startswith("ours") else 4.0,
            "met": statistics.median(times) / ours >= (1.0 if name.startswith("ours") else 4.0),
        }
        for name, times in took.items()
    ]


def _environment(folder: Path) -> Path:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    root = folder / "content"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(root)], check=True)
    python = root / "bin/python"
    install = [uv, "pip", "install", "-q", "--python", str(python), "ipykernel", "nbconvert"]
    if subprocess.run([*install, "papermill"], check=False).returncode:
        subprocess.run(install, check=True)
    return python


def _notebook() -> str:
    cells = [
        {"cell_type": "code", "metadata": {}, "source": f"total = sum(range({n}))\nprint(total)", "outputs": [],
         "execution_count": None, "id": f"c{n}"}
        for n in range(_CELLS)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def _ours(folder: Path, python: Path, number: str, runner: asyncio.Runner, renderers: Renderers) -> None:
    job = RenderJob(
        python=python,
        code_dir=folder / "bundle",
        notebook="report.ipynb",
        output=folder / f"out{number}",
        connection_dir=folder / f"k{number}",
    )
    runner.run(render(job, lambda _: None, renderers))


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
