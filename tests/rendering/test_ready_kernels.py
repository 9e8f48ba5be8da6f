"""Kernels that are made ready before: nobody can tell, one render each, and nothing of them stays."""

import asyncio
import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook
from support.watching import until

from rostra.rendering.job import RenderFailed, RenderJob
from rostra.rendering.notebook import render
from rostra.rendering.ready_kernels import LARGEST_BUNDLE, Budget, ReadyKernel, ReadyKernels
from rostra.rendering.renderers import PlainRenderers

pytestmark = [pytest.mark.anyio, pytest.mark.interpreters]
Kernels = Callable[..., Path]
Make = Callable[..., RenderJob]
MUCH = Budget(8_000_000_000, 600)


@pytest.fixture
def make(tmp_path: Path, kernels: Kernels) -> Make:
    """A function: cells to a job below ``tmp_path``, each with folders of its own."""
    made = 0

    def job(*cells: str, **more: object) -> RenderJob:
        nonlocal made
        made += 1
        code = tmp_path / "code"
        code.mkdir(exist_ok=True)
        notebook = new_notebook(cells=[new_code_cell(cell, id=f"c{n}") for n, cell in enumerate(cells)])
        write(notebook, code / "report.ipynb")
        return RenderJob(
            **{  # type: ignore[arg-type]
                "python": kernels("3.11"),
                "code_dir": code,
                "notebook": "report.ipynb",
                "output": tmp_path / "renderings" / str(made),
                "connection_dir": tmp_path / f"k{made}",
                "title": "Report",
                **more,
            }
        )

    return job


@pytest.fixture
async def ready() -> AsyncIterator[ReadyKernels]:
    async with ReadyKernels(PlainRenderers(), lambda: MUCH) as holding:
        yield holding


async def _page(job: RenderJob, ready: ReadyKernel | None = None) -> tuple[str, list[str]]:
    """Render, and return the page and the log."""
    said: list[str] = []
    await render(job, said.append, ready=ready)
    return (job.output / "index.html").read_text(), said


async def _prepared(ready: ReadyKernels, job: RenderJob, owner: str = "one") -> None:
    ready.prepare(owner, job)
    await ready.made()
    assert ready.has(owner)


def _left(folder: Path) -> list[str]:
    """What is there besides the code and finished pages."""
    beside = [path.name for path in (folder / "renderings").glob(".*")]
    return sorted([*beside, *(path.name for path in folder.glob("k*"))])


def _processes(folder: Path) -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if str(folder) in _words(each)]


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _reached(said: list[str]) -> bool:
    return any("in a kernel that was ready" in line for line in said)


# What a notebook could see. The connection file's folder is another one each time, also without all this.
LOOKS = {
    "names": ("import dateutil, random\nfrom IPython.display import HTML", "print(sorted(dir())); print(In, Out)"),
    "its own process": (
        "import dateutil, os, sys, threading",
        "print(os.getcwd().split('/')[-1], [os.path.basename(each) for each in sys.argv], sys.path[-1])\n"
        "print(sorted(os.environ), threading.active_count(), os.nice(0))",
        "print(len(os.sched_getaffinity(0)), sys.flags, sys.stdin, sys.stdout.name, __name__)",
    ),
    "what was imported": (
        "import dateutil, sys, warnings",
        "print(sorted(set(sys.modules)), warnings.filters)",
    ),
    "values and magics": ("YEAR = 1", "import dateutil", "%who\nYEAR, _, __ , _ih"),
    "history": (
        "import dateutil",
        "get_ipython().execution_count, len(list(get_ipython().history_manager.get_tail()))",
    ),
}


@pytest.mark.parametrize("cells", LOOKS.values(), ids=LOOKS)
async def test_the_page_is_what_a_kernel_makes_that_is_started_now(
    make: Make, ready: ReadyKernels, cells: tuple[str, ...]
) -> None:
    now, _ = await _page(make(*cells))
    await _prepared(ready, make(*cells))
    job = make(*cells)
    page, said = await _page(job, await ready.take("one", job))
    assert _reached(said)
    assert page == now


async def test_frames_and_plots_are_the_same_with_their_libraries_loaded(
    make: Make, ready: ReadyKernels, kernels: Kernels
) -> None:
    python = kernels("3.11", "matplotlib", "pandas")
    cells = (
        "%matplotlib inline\nimport numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt",
        "frame = pd.DataFrame({'a': range(10)}); frame",
        "np.random.seed(1); print(np.random.rand(), np.linalg.det(np.random.rand(300, 300)))",
        "frame.plot(); plt.show()",
        "import threading; plt.get_backend(), threading.active_count(), plt.isinteractive()",
    )
    now, _ = await _page(make(*cells, python=python))
    await _prepared(ready, make(*cells, python=python))
    job = make(*cells, python=python)
    page, said = await _page(job, await ready.take("one", job))
    assert _reached(said)
    assert "image/png" in page
    assert page == now


async def test_credentials_are_those_of_the_render_and_not_known_before(make: Make, ready: ReadyKernels) -> None:
    cell = "import dateutil, os\nprint('it is', os.environ['A_KEY'], os.popen('echo $A_KEY').read())"
    await _prepared(ready, make(cell, env={"MINE": "value"}, late={"A_KEY": "yesterday"}))
    job = make(cell, env={"MINE": "value"}, late={"A_KEY": "today"})
    taken = await ready.take("one", job)
    assert taken is not None
    below = psutil.Process(taken.conversation.pid).children(recursive=True)
    assert ["A_KEY" in each.environ() for each in below] == [False]
    page, said = await _page(job, taken)
    assert _reached(said)
    assert "it is today today" in page


async def test_each_is_for_one_render_and_has_luck_of_its_own(make: Make, ready: ReadyKernels) -> None:
    cell = "import dateutil, os, random\nprint('seen', os.getpid(), random.random(), hash('a'))"
    seen = set()
    for _ in range(2):
        await _prepared(ready, make(cell))
        job = make(cell)
        page, _ = await _page(job, await ready.take("one", job))
        seen.add(re.search(r"seen (\S+) (\S+) (\S+)", page).groups())  # type: ignore[union-attr]
        assert await ready.take("one", job) is None
    assert [len(set(column)) for column in zip(*seen, strict=True)] == [2, 2, 2]


async def test_parameters_and_failures_are_as_ever(make: Make, ready: ReadyKernels) -> None:
    cells = ("import dateutil", "x = 0\n1 / x")
    await _prepared(ready, make(*cells))
    job = make(*cells, parameters={"year": 2030})
    said: list[str] = []
    with pytest.raises(RenderFailed, match="cell 3, line 2: ZeroDivisionError"):
        await render(job, said.append, ready=await ready.take("one", job))
    assert _reached(said)


async def test_files_lie_where_they_would(make: Make, ready: ReadyKernels, tmp_path: Path) -> None:
    cell = "import dateutil\nprint(open('data.txt').read())\nopen('data.txt', 'w').write('written over')"
    job = make(cell)
    (job.code_dir / "data.txt").write_text("as it was published")
    for _ in range(2):
        await _prepared(ready, make(cell))
        job = make(cell)
        page, said = await _page(job, await ready.take("one", job))
        assert _reached(said)
        assert "as it was published" in page
    assert _left(tmp_path) == []


LIBRARIES = {
    "says nothing": ("", True),
    "prints": ("print('thank you for using tabulate')", False),
    "warns": ("import warnings; warnings.warn('an old release', UserWarning)", False),
    "shows a page": ("from IPython.display import display, HTML; display(HTML('<script></script>'))", False),
    "starts a thread": (
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        False,
    ),
    "runs code of the bundle": ("import beside", False),
    "fails": ("1 / 0", False),
    "ends the kernel": ("import os; os._exit(3)", False),
}


@pytest.mark.parametrize(("source", "expected"), LIBRARIES.values(), ids=LIBRARIES)
async def test_a_library_whose_import_is_noticed_is_not_imported_ahead(
    make: Make, ready: ReadyKernels, tmp_path: Path, source: str, expected: bool
) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library/tabulate.py").write_text(source)
    job = make("import tabulate", env={"PYTHONPATH": str(tmp_path / "library")})
    (job.code_dir / "beside.py").write_text("VALUE = 1")
    ready.prepare("one", job)
    await ready.made()
    assert ready.has("one") is expected


async def _other_variables(job: RenderJob) -> RenderJob:
    return dataclasses.replace(job, env={"MINE": "another"})


async def _other_bundle(job: RenderJob) -> RenderJob:
    return dataclasses.replace(job, code_dir=job.code_dir.rename(job.code_dir.with_name("code2")))


async def _other_sandbox(job: RenderJob) -> RenderJob:
    return dataclasses.replace(job, wrap=lambda argv, _places: ("/usr/bin/env", *argv))


@pytest.mark.parametrize("change", [_other_variables, _other_bundle, _other_sandbox])
async def test_one_that_was_made_for_something_else_ends(
    make: Make, ready: ReadyKernels, tmp_path: Path, change: Callable[[RenderJob], object]
) -> None:
    await _prepared(ready, make("1"))
    job = await change(make("1"))  # type: ignore[misc]
    assert await ready.take("one", job) is None
    await asyncio.to_thread(until, lambda: not _left(tmp_path), 30, "folders are left")
    assert _processes(tmp_path / "k") == []
    await _page(job)


async def test_an_environment_made_in_the_place_of_another_is_another(
    make: Make, ready: ReadyKernels, tmp_path: Path, kernels: Kernels
) -> None:
    places = tmp_path / "environment" / "bin"
    places.mkdir(parents=True)
    (places / "python").write_text(f'#!/bin/sh\nexec {kernels("3.11")} "$@"\n')
    (places / "python").chmod(0o755)
    await _prepared(ready, make("1", python=places / "python"))
    places.parent.rename(tmp_path / "earlier")
    (places).mkdir(parents=True)
    (tmp_path / "earlier/bin/python").rename(places / "python")
    assert await ready.take("one", make("1", python=places / "python")) is None


async def test_one_whose_kernel_was_killed_is_not_missed(make: Make, ready: ReadyKernels, tmp_path: Path) -> None:
    await _prepared(ready, make("print('done')"))
    job = make("print('done')")
    taken = await ready.take("one", job)
    assert taken is not None
    for each in psutil.Process(taken.conversation.pid).children(recursive=True):
        each.kill()
    page, said = await _page(job, taken)
    assert "done" in page
    assert not _reached(said)
    assert _left(tmp_path) == []


async def test_one_that_does_not_answer_is_not_waited_for(
    make: Make, ready: ReadyKernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rostra.rendering.ready_kernels.TAKE_SECONDS", 0.5)
    await _prepared(ready, make("print('done')"))
    job = make("print('done')")
    taken = await ready.take("one", job)
    assert taken is not None
    psutil.Process(taken.conversation.pid).suspend()
    page, said = await _page(job, taken)
    assert "done" in page
    assert not _reached(said)
    assert _left(tmp_path) == []


async def test_one_that_is_being_made_is_waited_for(make: Make, ready: ReadyKernels) -> None:
    ready.prepare("one", make("import dateutil"))
    job = make("import dateutil")
    taken = await ready.take("one", job)
    assert taken is not None
    _, said = await _page(job, taken)
    assert _reached(said)


async def test_one_that_ends_before_it_was_begun_is_in_nobodys_way(make: Make, ready: ReadyKernels) -> None:
    job = make("print(1)")
    ready.prepare("one", job)
    await ready.end("one")
    assert not ready.has("one")
    await _prepared(ready, job)


async def test_one_that_nobody_takes_ends(make: Make, tmp_path: Path) -> None:
    async with ReadyKernels(PlainRenderers(), lambda: Budget(8_000_000_000, 0.1)) as ready:
        ready.prepare("one", make("1"))
        await ready.made()
        await asyncio.to_thread(until, lambda: not _left(tmp_path), 30, "folders are left")
        assert not ready.has("one")
        assert _processes(tmp_path / "k") == []


async def test_beyond_the_budget_the_one_that_waited_longest_ends(
    make: Make, ready: ReadyKernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MUCH
    monkeypatch.setattr(ready, "_budget", lambda: budget)
    await _prepared(ready, make("1"), "first")
    budget = Budget(ready._ready["first"].memory_bytes * 3 // 2, 600)
    await _prepared(ready, make("1"), "second")
    assert not ready.has("first")
    budget = Budget(1, 600)
    ready.prepare("third", make("1"))
    await ready.made()
    assert not ready.has("second")
    assert not ready.has("third")


async def test_without_a_budget_there_is_none(make: Make, tmp_path: Path) -> None:
    async with ReadyKernels(PlainRenderers(), lambda: Budget(0, 600)) as ready:
        ready.prepare("one", make("1"))
        await ready.made()
        assert not ready.has("one")
    assert _left(tmp_path) == []


@pytest.mark.parametrize("seconds", [0.0, 0.3, None])
async def test_whenever_its_item_goes_nothing_is_left(
    make: Make, ready: ReadyKernels, tmp_path: Path, seconds: float | None
) -> None:
    ready.prepare("one", make("1"))
    if seconds is None:
        await ready.made()
    else:
        await asyncio.sleep(seconds)  # wherever it is then
    await ready.end("one")
    assert not ready.has("one")
    assert _left(tmp_path) == []
    assert _processes(tmp_path / "k") == []


async def test_it_stays_while_it_fits(make: Make, ready: ReadyKernels) -> None:
    job = make("1", env={"MINE": "value"})
    await _prepared(ready, job)
    await ready.follow("one", lambda each: each.env == {"MINE": "value"})
    assert ready.has("one")
    await ready.follow("one", lambda each: each.env == {})
    assert not ready.has("one")


async def test_a_notebook_that_is_not_run_or_not_there_has_none(make: Make, ready: ReadyKernels) -> None:
    ready.prepare("one", make(""))
    await ready.made()
    assert not ready.has("one")
    ready.prepare("one", make("1", notebook="other.ipynb"))
    await ready.made()
    assert not ready.has("one")


async def test_a_large_bundle_is_not_copied_ahead(make: Make, ready: ReadyKernels, tmp_path: Path) -> None:
    job = make("1")
    with (job.code_dir / "data.bin").open("wb") as file:
        file.truncate(LARGEST_BUNDLE)
    ready.prepare("one", job)
    await ready.made()
    assert not ready.has("one")
    assert _left(tmp_path) == []


_OWNER = """
import asyncio, sys
from pathlib import Path
from rostra.rendering.job import RenderJob
from rostra.rendering.ready_kernels import Budget, ReadyKernels
from rostra.rendering.renderers import PlainRenderers
async def main():
    python, folder = map(Path, sys.argv[1:])
    async with ReadyKernels(PlainRenderers(), lambda: Budget(10**10, 600)) as ready:
        ready.prepare("one", RenderJob(python=python, code_dir=folder / "code", notebook="report.ipynb",
                                       output=folder / "renderings/9", connection_dir=folder / "k9"))
        await ready.made()
        print(ready._ready["one"].conversation.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_nothing_runs_on_when_their_owner_is_killed(make: Make, tmp_path: Path) -> None:
    job = make("1")
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(job.python), str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    renderer = psutil.Process(int(await asyncio.to_thread(owner.stdout.readline)))
    below = renderer.children(recursive=True)
    assert below
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    await asyncio.to_thread(until, lambda: not any(map(_runs, (renderer, *below))), 30, "processes are left")


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
