"""Renders real notebooks with real kernels; the page alone also without one."""

import asyncio
import datetime as dt
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from nbformat import NotebookNode, write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from rostra.execution.weights import Weight
from rostra.rendering.job import KernelPlaces, RenderFailed, RenderJob, RenderTimedOut
from rostra.rendering.notebook import render

pytestmark = pytest.mark.anyio
interpreters = pytest.mark.interpreters
VERSIONS = ("3.9", "3.11", "3.13")
FOR_R = {"language": "R", "name": "ir", "display_name": "R"}

Make = Callable[..., RenderJob]
Kernels = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A function: cells to a job below ``tmp_path``; text is code."""

    def job(*cells: str | NotebookNode, python: Path = Path("/nonexistent/python"), **more: object) -> RenderJob:
        code = tmp_path / "code"
        code.mkdir(exist_ok=True)
        made = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        write(new_notebook(cells=made), code / "report.ipynb")
        return RenderJob(
            **{  # type: ignore[arg-type]
                "python": python,
                "code_dir": code,
                "notebook": "report.ipynb",
                "output": tmp_path / "renderings" / "1",
                "connection_dir": tmp_path / "k",
                "title": "Report",
                **more,
            }
        )

    return job


def _page(job: RenderJob) -> str:
    return (job.output / "index.html").read_text()


def _left(job: RenderJob) -> list[str]:
    """What is beside the output besides itself."""
    beside = sorted(path.name for path in job.output.parent.iterdir() if path != job.output)
    return beside + ([job.connection_dir.name] if job.connection_dir.exists() else [])


async def test_a_notebook_that_brings_its_outputs_is_not_run(make: Make) -> None:
    cell = new_code_cell("raise SystemExit", outputs=[])
    cell.outputs.append(NotebookNode(output_type="stream", name="stdout", text="kept result"))
    job = make(cell, execute=False)
    rendered = await render(job, lambda _line: None)
    assert rendered.primary == "index.html"
    assert "kept result" in _page(job)
    assert _left(job) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"not json", "is not a notebook"),
        (b"[1, 2]", "is not a notebook"),
        (b'{"nbformat": 4}', "report.ipynb"),
        (b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "report.ipynb"),
        (b"[" * 100_000, "is not a notebook"),
        (
            json.dumps(
                new_notebook(metadata={"kernelspec": {"language": "R", "name": "ir", "display_name": "R"}})
            ).encode(),
            "written in R",
        ),
    ],
)
async def test_a_broken_notebook_fails_with_a_reason(make: Make, content: bytes, says: str) -> None:
    job = make("1")
    (job.code_dir / "report.ipynb").write_bytes(content)
    with pytest.raises(RenderFailed, match=says):
        await render(job, lambda _line: None)
    assert not job.output.exists()
    assert _left(job) == []


@pytest.mark.parametrize("name", ["missing.ipynb", "../report.ipynb", "/etc/passwd"])
async def test_the_notebook_has_to_be_in_the_bundle(make: Make, name: str) -> None:
    job = make("1", notebook=name)
    with pytest.raises(RenderFailed, match="has no notebook"):
        await render(job, lambda _line: None)


async def test_a_kernel_that_cannot_start_says_what_it_wrote(make: Make) -> None:
    def wrap(_argv: Sequence[str], _places: KernelPlaces) -> Sequence[str]:
        return ("/bin/sh", "-c", "echo No module named ipykernel_launcher >&2; exit 7")

    job = make("1", wrap=wrap)
    with pytest.raises(RenderFailed, match="status 7") as failed:
        await render(job, lambda _line: None)
    assert failed.value.lines == ("No module named ipykernel_launcher",)


async def test_a_missing_interpreter_is_a_failed_render(make: Make) -> None:
    with pytest.raises(RenderFailed, match="could not be started"):
        await render(make("1"), lambda _line: None)


async def test_a_kernel_that_never_answers_is_given_up(make: Make) -> None:
    job = make("1", wrap=lambda *_: ("/bin/sleep", "600"), timeout=dt.timedelta(seconds=2))
    with pytest.raises(RenderTimedOut):
        await render(job, lambda _line: None)
    assert _left(job) == []
    assert not _running("/bin/sleep 600")


@interpreters
@pytest.mark.parametrize("version", VERSIONS)
async def test_cells_run_on_the_contents_own_python(make: Make, kernels: Kernels, version: str) -> None:
    said: list[str] = []
    job = make(
        new_markdown_cell("# Sales"),
        "import sys; print('ran on', sys.version_info[:2]); open('made.csv', 'w').write('a,b')",
        "from IPython.display import HTML; HTML('<a href=\"made.csv\">data</a>')",
        python=kernels(version),
    )
    rendered = await render(job, said.append)
    assert f"ran on ({version.replace('.', ', ')})" in _page(job)
    assert (job.output / "made.csv").read_text() == "a,b"
    assert rendered.cells == 2
    assert rendered.external == ()
    assert "cell 1 of 2" in said
    assert not (job.code_dir / "made.csv").exists()
    assert _left(job) == []


@interpreters
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("a = 1\nb = 2\nopen('/nonexistent/x')", 3, "FileNotFoundError"),
        ("def f():\n    return 1 / 0\n\nf()", 4, "ZeroDivisionError: division by zero"),
        ("x = 1\ny = )", 2, "SyntaxError"),
        ("import json\njson.loads('{')", 2, "JSONDecodeError"),
    ],
)
async def test_a_failing_cell_is_named_with_its_line(
    make: Make, kernels: Kernels, version: str, source: str, line: int, says: str
) -> None:
    job = make("1", new_markdown_cell("between"), "", source, "2", python=kernels(version))
    with pytest.raises(RenderFailed, match=says) as failed:
        await render(job, lambda _line: None)
    assert (failed.value.cell, failed.value.line) == (2, line)
    assert any(says.split(":", 1)[0] in text for text in failed.value.lines)
    assert not any("\x1b" in text for text in failed.value.lines)
    assert not job.output.exists()


@interpreters
async def test_a_kernel_that_ends_itself_is_a_failed_cell(make: Make, kernels: Kernels) -> None:
    job = make("1", "import os; os._exit(9)", python=kernels("3.11"))
    with pytest.raises(RenderFailed, match="status 9") as failed:
        await render(job, lambda _line: None)
    assert failed.value.cell == 2


@interpreters
async def test_an_expected_error_is_shown_and_the_rest_runs(make: Make, kernels: Kernels) -> None:
    allowed = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    job = make(allowed, "print('after')", python=kernels("3.11"))
    await render(job, lambda _line: None)
    assert "ZeroDivisionError" in _page(job)
    assert "after" in _page(job)


@interpreters
async def test_a_flood_of_output_is_cut_and_says_so(make: Make, kernels: Kernels) -> None:
    flood = "for n in range(30): print('y' * 100_000)"
    large = "from IPython.display import HTML; HTML('z' * 3_000_000)"
    job = make(flood, large, python=kernels("3.11"), output_bytes=2_000_000)
    await render(job, lambda _line: None)
    page = _page(job)
    assert len(page) < 3_000_000
    assert "output cut after 1 MB" in page or "output cut after 1.0 MB" in page
    assert "is left out" in page


@interpreters
async def test_the_limit_ends_the_cell_and_everything_it_started(make: Make, kernels: Kernels) -> None:
    source = "import subprocess\nsubprocess.Popen(['sleep', '31.4159'], start_new_session=True)\nwhile True: pass"
    job = make("1", source, python=kernels("3.11"), timeout=dt.timedelta(seconds=6))
    with pytest.raises(RenderTimedOut) as failed:
        await render(job, lambda _line: None)
    assert failed.value.cell == 2
    assert not _running("31.4159")
    assert _left(job) == []


@interpreters
async def test_a_cancelled_render_leaves_nothing(make: Make, kernels: Kernels) -> None:
    source = (
        "import os, subprocess\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: os.execvp('sleep', ['sleep', '27.1828'])\n"  # a daemon: its parents are gone
        "    os._exit(0)\n"
        "while True: pass"
    )
    job = make("1", source, python=kernels("3.11"))
    reached = asyncio.Event()
    task = asyncio.create_task(render(job, lambda line: reached.set() if line == "cell 2 of 2" else None))
    await asyncio.wait_for(reached.wait(), 30)
    while not _running("27.1828"):
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not _running("27.1828")
    assert not _running(str(job.connection_dir))
    assert _left(job) == []


@interpreters
async def test_the_kernel_is_told_nothing_of_the_server(
    make: Make, kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SERVER_SECRET", "do not tell")
    source = "import os; print(sorted(os.environ)); print('given', os.environ['GIVEN'])"
    job = make(source, python=kernels("3.11"), env={"GIVEN": "by the owner"})
    await render(job, lambda _line: None)
    assert "by the owner" in _page(job)
    assert "A_SERVER_SECRET" not in _page(job)


@interpreters
async def test_a_plot_is_inside_the_page(make: Make, kernels: Kernels) -> None:
    source = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);\nplt.title('naïve');"
    job = make(source, python=kernels("3.11", "matplotlib"))
    rendered = await render(job, lambda _line: None)
    assert "data:image/png;base64," in _page(job)
    assert rendered.external == ()


@interpreters
async def test_a_widget_stays_as_it_was_when_the_notebook_ended(make: Make, kernels: Kernels) -> None:
    source = "import ipywidgets\nslider = ipywidgets.IntSlider(value=3, max=77, description='Years')\nslider"
    job = make(source, "slider.value = 41", python=kernels("3.11", "ipywidgets"))
    rendered = await render(job, lambda _line: None)
    page = _page(job)
    state = page[page.index("application/vnd.jupyter.widget-state+json") :]
    kept = json.loads(state[state.index("{") : state.index("</script>")])["state"].values()
    (slider,) = [model["state"] for model in kept if model["model_name"] == "IntSliderModel"]
    assert (slider["value"], slider["max"], slider["description"]) == (41, 77, "Years")
    assert "application/vnd.jupyter.widget-view+json" in page
    assert "Jupyter widgets" in rendered.external


BUSY = "import time\nheld = bytearray(b'x' * 80_000_000)\nwhile time.process_time() < 1.0: pass\n"


@interpreters
@pytest.mark.parametrize("end", ["", "1 / 0", "time.sleep(600)"], ids=["well", "failed", "cancelled"])
async def test_what_a_render_took_is_told_however_it_ends(
    make: Make, kernels: Kernels, tmp_path: Path, end: str
) -> None:
    told: list[Weight] = []
    job = make(f"{BUSY}open({str(tmp_path / 'busy')!r}, 'w').close()\n{end}", python=kernels("3.11"))
    running = asyncio.create_task(render(job, lambda _line: None, ended=told.append))
    while not (tmp_path / "busy").exists():
        await asyncio.sleep(0.02)
    if "sleep" in end:
        running.cancel()
    await asyncio.wait((running,))
    assert running.cancelled() or bool(running.exception()) == bool(end)
    (took,) = told
    assert 1.0 <= took.cpu_seconds < 60
    assert 80_000_000 < took.memory_bytes < 2_000_000_000
    assert took.processes >= 2


def _running(text: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and text in " ".join(process.info["cmdline"] or ()):
            found.append(process.pid)
    return found
