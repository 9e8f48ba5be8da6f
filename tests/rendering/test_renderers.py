"""Renderers forked from a warm parent do what newly started ones do, and leave as little."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from nbformat import NotebookNode, write
from nbformat.v4 import new_code_cell, new_notebook
from support.watching import until

from rostra.rendering.job import RenderFailed, RenderJob
from rostra.rendering.notebook import render
from rostra.rendering.renderers import PlainRenderers, Renderers, WarmRenderers

pytestmark = pytest.mark.anyio
Kernels = Callable[..., Path]


@pytest.fixture
async def warm() -> AsyncIterator[WarmRenderers]:
    async with WarmRenderers(lambda: True, nice=0) as renderers:
        await renderers.warm()
        assert renderers.is_warm
        yield renderers


def _job(folder: Path, source: str, *, python: Path | None = None, number: int = 1) -> RenderJob:
    code = folder / "code"
    code.mkdir(exist_ok=True)
    cell = new_code_cell(source, id="one")
    if python is None:
        cell.outputs.append(NotebookNode(output_type="stream", name="stdout", text="kept result"))
    write(new_notebook(cells=[cell]), code / "report.ipynb")
    return RenderJob(
        python=python or Path("/nonexistent/python"),
        code_dir=code,
        notebook="report.ipynb",
        output=folder / "renderings" / str(number),
        connection_dir=folder / "k",
        execute=python is not None,
    )


async def _page(job: RenderJob, renderers: Renderers) -> str:
    await render(job, lambda _: None, renderers)
    return (job.output / "index.html").read_text()


def _parents() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "rostra.rendering.warm_parent" in each.cmdline()]


async def test_the_page_is_the_same_as_from_a_new_process(tmp_path: Path, warm: WarmRenderers) -> None:
    anew = await _page(_job(tmp_path, "1 + 1", number=1), PlainRenderers())
    assert "kept result" in anew
    assert await _page(_job(tmp_path, "1 + 1", number=2), warm) == anew
    assert await _page(_job(tmp_path, "1 + 1", number=3), warm) == anew


async def test_several_at_once_do_not_meet(tmp_path: Path, warm: WarmRenderers) -> None:
    async def one(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        return await _page(_job(folder, f"number = {number}00"), warm)

    pages = await asyncio.gather(*map(one, range(1, 6)))
    assert [f"{number}00" in page for number, page in enumerate(pages, start=1)] == [True] * 5


async def test_a_parent_that_was_killed_is_replaced_and_no_document_is_lost(
    tmp_path: Path, warm: WarmRenderers
) -> None:
    _parents()[0].kill()
    assert "kept result" in await _page(_job(tmp_path, "1", number=1), warm)
    await warm.warm()
    assert warm.is_warm
    assert "kept result" in await _page(_job(tmp_path, "1", number=2), warm)


async def test_a_parent_that_hangs_is_not_waited_for(
    tmp_path: Path, warm: WarmRenderers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rostra.rendering.renderers.FORKING_SECONDS", 0.2)
    hanging = _parents()[0]
    hanging.suspend()
    try:
        assert "kept result" in await _page(_job(tmp_path, "1"), warm)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            hanging.resume()


async def test_a_document_that_is_cancelled_early_leaves_its_renderer_to_nobody(
    tmp_path: Path, warm: WarmRenderers
) -> None:
    starting = asyncio.create_task(warm.start())
    for _ in range(3):  # the parent has been asked, and has not answered
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    for number in (1, 2):
        await warm.warm()
        assert "kept result" in await _page(_job(tmp_path, "1", number=number), warm)
        renderer = await warm.start()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(renderer.wait(), 0.3)
        psutil.Process(renderer.pid).kill()
        await renderer.wait()


async def test_switched_off_there_is_no_parent(tmp_path: Path) -> None:
    wanted = True
    async with WarmRenderers(lambda: wanted, nice=0) as renderers:
        await renderers.warm()
        wanted = False
        assert "kept result" in await _page(_job(tmp_path, "1"), renderers)
        assert not renderers.is_warm
        await asyncio.to_thread(until, lambda: not _parents(), 20, "the parent stays")


async def test_a_parent_that_nobody_needs_ends(tmp_path: Path) -> None:
    async with WarmRenderers(lambda: True, nice=0, idle_seconds=0.1) as renderers:
        await renderers.warm()
        await asyncio.to_thread(until, lambda: not _parents(), 20, "the parent stays")
        assert "kept result" in await _page(_job(tmp_path, "1"), renderers)


async def test_a_renderer_outlives_the_parent_that_is_let_go(tmp_path: Path) -> None:
    async with WarmRenderers(lambda: True, nice=0) as renderers:
        await renderers.warm()
        renderer = await renderers.start()
    await asyncio.to_thread(until, lambda: not _parents(), 20, "the parent stays")
    renderer.tell(json.dumps({"notebook": str(tmp_path / "a"), "parameters": {}, "execute": False}).encode() + b"\n")
    assert await renderer.said.read() == b""  # there is no such notebook
    assert b"FileNotFoundError" in await renderer.errors.read()
    await renderer.wait()


async def test_a_renderer_knows_nothing_of_the_servers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SERVER_SECRET", "do not tell")
    async with WarmRenderers(lambda: True, nice=0) as renderers:
        await renderers.warm()
        renderer = await renderers.start()
        assert "A_SERVER_SECRET" not in psutil.Process(renderer.pid).environ()
        psutil.Process(renderer.pid).kill()
        await renderer.wait()


_OWNER = """
import asyncio, sys
from rostra.rendering.renderers import WarmRenderers
async def main():
    async with WarmRenderers(lambda: True, nice=0) as renderers:
        await renderers.warm()
        renderer = await renderers.start()
        print(renderers._parent._process.pid, renderer.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_nothing_is_left_when_their_owner_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    pids = [int(word) for word in (await asyncio.to_thread(owner.stdout.readline)).split()]
    assert len(pids) == 2
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    await asyncio.to_thread(until, lambda: not [pid for pid in pids if _runs(pid)], 30, "processes are left")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.interpreters
async def test_cells_run_and_fail_as_ever(tmp_path: Path, warm: WarmRenderers, kernels: Kernels) -> None:
    python = kernels("3.11")
    assert "the sum is 3" in await _page(_job(tmp_path, "print('the sum is', 1 + 2)", python=python, number=1), warm)
    with pytest.raises(RenderFailed, match="cell 1, line 2: ZeroDivisionError"):
        await render(_job(tmp_path, "x = 0\n1 / x", python=python, number=2), lambda _: None, warm)


@pytest.mark.interpreters
async def test_a_cancelled_render_leaves_nothing(tmp_path: Path, warm: WarmRenderers, kernels: Kernels) -> None:
    begun = asyncio.Event()
    job = _job(tmp_path, "import time; time.sleep(600)", python=kernels("3.11"))
    running = asyncio.create_task(render(job, lambda line: begun.set() if line.startswith("cell") else None, warm))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not job.connection_dir.exists()
    assert not [each for each in psutil.process_iter() if str(job.connection_dir) in _words(each)]


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
