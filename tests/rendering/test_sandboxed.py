"""A kernel inside the sandbox that content processes run in, as an account without privileges when we are root."""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

from rostra.execution import accounts, host, sandbox
from rostra.execution.launcher import Launch, Mount
from rostra.ids import ProcessKey
from rostra.rendering.job import KernelPlaces, RenderJob
from rostra.rendering.notebook import render

pytestmark = [pytest.mark.anyio, pytest.mark.sandbox, pytest.mark.interpreters]
Kernels = Callable[..., Path]


@pytest.fixture
def short_path() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="rk-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def _job(place: Path, python: Path, source: str, env: dict[str, str]) -> RenderJob:
    code = place / "code"
    code.mkdir()
    write(new_notebook(cells=[new_code_cell(source)]), code / "a.ipynb")
    (code / "data.csv").write_text("from the bundle")
    code.chmod(0o500)
    facts = dataclasses.replace(host.probe(), memory_groups=False, process_groups=False)
    if facts.bwrap is None:
        pytest.skip(f"no sandbox: {facts.bwrap_why}")
    user = accounts.choose()
    shown = (python.parent.parent, python.resolve().parent.parent)

    def wrap(argv: Sequence[str], places: KernelPlaces) -> Sequence[str]:
        launch = Launch(
            key=ProcessKey("k"),
            argv=tuple(argv),
            cwd=places.cwd,
            env={},
            run_dir=places.connection_dir,
            log=places.connection_dir / "log",
            mounts=(*map(Mount, shown), Mount(places.work_dir, writable=True)),
            user=user,
        )
        return sandbox.command(launch, facts)

    return RenderJob(
        python=python,
        code_dir=code,
        notebook="a.ipynb",
        output=place / "out" / "1",
        connection_dir=place / "k",
        wrap=wrap,
        env=env,
        user=user,
    )


async def _text(job: RenderJob) -> str:
    await render(job, lambda _line: None)
    return (job.output / "index.html").read_text()


@pytest.mark.parametrize("version", ["3.9", "3.13"])
async def test_a_kernel_works_and_sees_only_its_own(short_path: Path, kernels: Kernels, version: str) -> None:
    (short_path / "secret").write_text("a server secret")
    source = (
        "import os, sys, pathlib\n"
        "print('python', sys.version_info[:2], 'root' if os.getuid() == 0 else 'somebody')\n"
        "print('bundle:', open('data.csv').read())\n"
        "pathlib.Path('written.txt').write_text('x')\n"
        f"print('outside', pathlib.Path({str(short_path / 'secret')!r}).exists())\n"
        "print('processes', len([n for n in os.listdir('/proc') if n.isdigit()]))\n"
    )
    text = await _text(_job(short_path, kernels(version), source, {}))
    assert f"python ({version.replace('.', ', ')}) somebody" in text
    assert "bundle: from the bundle" in text
    assert "outside False" in text
    assert sorted(path.name for path in short_path.iterdir()) == ["code", "out", "secret"]


async def test_an_authors_loader_variables_are_obeyed_only_inside(short_path: Path, kernels: Kernels) -> None:
    source = "import os; print('libraries', os.environ['LD_LIBRARY_PATH'], os.environ['GIVEN'])"
    env = {"LD_LIBRARY_PATH": "/nowhere/lib", "GIVEN": "value"}
    assert "libraries /nowhere/lib value" in await _text(_job(short_path, kernels("3.11"), source, env))
