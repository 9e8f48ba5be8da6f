from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from packaging.version import Version

from rostra.runtimes import probe as probing
from rostra.runtimes.model import RuntimeState
from rostra.runtimes.probe import Probe, probe

pytestmark = pytest.mark.anyio

HERE = Path(os.path.realpath(sys.executable))
SOON = dt.timedelta(seconds=20)


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    """Write a program that behaves in some way and return its path."""

    def write(text: str, name: str = "python3") -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    return write


async def look(path: Path, timeout: dt.timedelta = SOON) -> Probe:
    (found,) = await probe([path], timeout=timeout, memory=None)
    return found


async def test_a_real_interpreter_is_usable() -> None:
    found = await look(HERE)
    assert found.usable, found.problem
    assert found.version == Version(".".join(map(str, sys.version_info[:3])))
    assert found.implementation == sys.implementation.name
    runtime = found.runtime(RuntimeState.deprecated)
    assert runtime.executable == runtime.target == HERE
    assert runtime.cache_tag == sys.implementation.cache_tag
    assert runtime.platform.startswith("linux")
    assert runtime.identity
    assert runtime.state is RuntimeState.deprecated


async def test_a_link_keeps_its_own_path_and_says_where_it_leads(tmp_path: Path) -> None:
    middle, outer = tmp_path / "middle", tmp_path / "outer"
    middle.symlink_to(HERE)
    outer.symlink_to("middle")
    found = await look(outer)
    assert found.executable == outer
    assert found.target == HERE
    assert found.links == (outer, middle, HERE)
    assert found.usable


async def test_answers_come_in_the_order_asked(program: Callable[..., Path], tmp_path: Path) -> None:
    slow = program("#!/bin/sh\nsleep 0.2\n", "slow")
    paths = [slow, HERE, tmp_path / "none", HERE]
    found = await probe(paths, timeout=SOON, memory=None)
    assert [each.executable for each in found] == paths


@pytest.mark.parametrize(
    ("text", "problem", "why"),
    [
        ("#!/bin/sh\necho hello\n", "is not Python: it answers something else", "any program"),
        ("#!/bin/sh\nexit 0\n", "is not Python", "silence"),
        (
            "#!/bin/sh\necho 'no such thing' >&2; exit 3\n",
            "does not start as Python: exit status 3 (no such thing)",
            "fails",
        ),
        ("#!/bin/sh\nkill -SEGV $$\n", "crashed with SIGSEGV", "dies of a signal"),
        ("#!/bin/sh\nexec cat /dev/zero\n", "is not Python: it writes more", "output without end"),
        ("#!/bin/sh\nexec cat /dev/zero >&2\n", "is not Python: it writes more", "complaints without end"),
        ("#!/bin/sh\nprintf '\\nrostra-interview {}\\n'\n", "is not Python", "an answer without content"),
        ("#!/bin/sh\nprintf 'rostra-interview [[[[[[[[\\n'\n", "is not Python", "an answer that is no JSON"),
        ("#!/nonexistent/interpreter\n", "cannot be started: No such file or directory", "its own interpreter is gone"),
        ("\x7fELF nonsense", "cannot be started: Exec format error", "another machine's program"),
        (
            "#!/bin/sh\nprintf 'a\\033[31mb\\n' >&2; exit 1\n",
            "exit status 1 (a?[31mb)",
            "control characters are not passed on",
        ),
        (
            "#!/usr/bin/env bash\nexec /x/.pyenv/libexec/pyenv exec python3\n",
            "is a pyenv shim",
            "starts something else everywhere",
        ),
    ],
)
async def test_what_is_not_python_says_so(program: Callable[..., Path], text: str, problem: str, why: str) -> None:
    found = await look(program(text))
    assert not found.usable
    assert found.problem.startswith(problem) or problem in found.problem, why
    assert found.version is None


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.symlink_to("gone"), "is a broken symbolic link"),
        (lambda path: path.symlink_to(path), "cannot be looked at"),
        (lambda path: path.mkdir(), "is a folder; name the interpreter in it, usually bin/python3"),
        (lambda path: path.touch(0o644), "is not executable"),
        (lambda path: os.mkfifo(path, 0o755), "is not a file"),
    ],
)
async def test_what_cannot_be_started_says_why(tmp_path: Path, make: Callable[[Path], None], problem: str) -> None:
    make(tmp_path / "python3")
    assert (await look(tmp_path / "python3")).problem.startswith(problem)


async def test_one_that_hangs_is_ended_with_everything_it_started(program: Callable[..., Path], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hanging = program(f"#!/bin/sh\nsleep 600 & echo $! > {pids}\necho $$ >> {pids}\nwait\n")
    found = await look(hanging, dt.timedelta(seconds=0.5))
    assert found.problem == "hangs: no answer within 0.5 s"
    await gone([int(line) for line in pids.read_text().split()])


async def test_one_that_answers_leaves_nothing_running(program: Callable[..., Path], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    untidy = program(f'#!/bin/sh\nsleep 600 >/dev/null 2>&1 & echo $! > {pids}\nexec {HERE} "$@"\n')
    assert (await look(untidy)).usable
    await gone([int(pids.read_text())])


async def test_a_cancelled_probe_leaves_nothing_running(program: Callable[..., Path], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hanging = program(f"#!/bin/sh\necho $$ > {pids}\nexec sleep 600\n")
    with anyio.move_on_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(look, hanging)
            while not (pids.exists() and pids.read_text().strip()):
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    await gone([int(pids.read_text())])


async def gone(pids: list[int]) -> None:
    with anyio.fail_after(5):
        while any(_alive(pid) for pid in pids):
            await anyio.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_a_wrapper_script_is_a_fine_interpreter(program: Callable[..., Path]) -> None:
    wrapper = program(f'#!/bin/sh\necho loading modules\nexec {HERE} "$@"\n')
    found = await look(wrapper)
    assert found.usable, found.problem
    assert found.target == wrapper


@pytest.mark.parametrize(
    ("missing", "problem"),
    [("venv", "has no venv module"), ("pip", "has no pip"), ("ensurepip", "has no ensurepip")],
)
async def test_an_interpreter_that_lacks_something_says_what(
    program: Callable[..., Path], missing: str, problem: str
) -> None:
    lacking = program(
        f"#!{HERE}\n"
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name: None if name == {missing!r} else real(name)\n"
        "exec(sys.argv[-1])\n"
    )
    found = await look(lacking)
    assert found.problem.startswith(problem)
    assert found.version is not None


async def test_nothing_of_the_server_reaches_the_program(
    program: Callable[..., Path], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("ROSTRA_BOOTSTRAP_SECRETKEY", "hunter2")
    seen = tmp_path / "seen"
    await look(program(f"#!/bin/sh\nenv > {seen}\npwd >> {seen}\n"))
    assert "hunter2" not in seen.read_text()
    assert seen.read_text().splitlines()[-1] == "/"


async def test_answers_are_remembered(tmp_path: Path, program: Callable[..., Path]) -> None:
    memory = tmp_path / "run" / "interpreters.json"
    paths = [HERE, program("#!/bin/sh\nexit 1\n")]
    first = await probe(paths, timeout=SOON, memory=memory)
    second = await probe(paths, timeout=SOON, memory=memory)
    assert [each.remembered for each in first] == [False, False]
    assert [each.remembered for each in second] == [True, False], "what was wrong may have been put right"
    assert second[0].runtime() == first[0].runtime()


async def test_a_program_that_changed_is_asked_again(tmp_path: Path, program: Callable[..., Path]) -> None:
    memory = tmp_path / "interpreters.json"
    wrapper = program(f'#!/bin/sh\nexec {HERE} "$@"\n')
    before = (await probe([wrapper], timeout=SOON, memory=memory))[0]
    program(f'#!/bin/sh\n# changed\nexec {HERE} "$@"\n')
    after = (await probe([wrapper], timeout=SOON, memory=memory))[0]
    assert not after.remembered
    assert before.identity != after.identity


async def test_a_link_that_leads_elsewhere_is_asked_again(tmp_path: Path, program: Callable[..., Path]) -> None:
    memory, link = tmp_path / "interpreters.json", tmp_path / "link"
    link.symlink_to(HERE)
    await probe([link], timeout=SOON, memory=memory)
    link.unlink()
    link.symlink_to(program("#!/bin/sh\nexit 1\n"))
    (found,) = await probe([link], timeout=SOON, memory=memory)
    assert not found.usable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"question": 1}',
        '{"question": "x", "interpreters": {}}',
        "\xff",
        "[" * 5000,
        "INTERPRETERS",
    ],
)
async def test_a_damaged_memory_is_ignored_and_replaced(tmp_path: Path, text: str) -> None:
    memory = tmp_path / "interpreters.json"
    await probe([HERE], timeout=SOON, memory=memory)
    good = memory.read_text()
    memory.write_text(
        good.replace('"answer": {', '"answer": {"more": 1, ') if text == "INTERPRETERS" else text, "latin-1"
    )
    (found,) = await probe([HERE], timeout=SOON, memory=memory)
    assert found.usable
    assert not found.remembered
    assert memory.read_text() == good


async def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (found,) = await probe([HERE], timeout=SOON, memory=tmp_path / "file" / "memory.json")
    assert found.usable


async def test_many_are_asked_at_once(program: Callable[..., Path]) -> None:
    slow = [program("#!/bin/sh\nsleep 0.3\n", f"slow{number}") for number in range(8)]
    started = time.monotonic()
    await probe(slow, timeout=SOON, memory=None)
    assert time.monotonic() - started < 8 * 0.3


def test_shims_are_told_from_other_scripts(program: Callable[..., Path]) -> None:
    assert probing.is_shim(program("#!/usr/bin/env bash\nexec pyenv exec x\n"))
    assert not probing.is_shim(program("#!/bin/sh\nexec /opt/python/bin/python3\n"))
    assert not probing.is_shim(HERE)


@pytest.mark.interpreters
async def test_every_interpreter_here_is_understood() -> None:
    from support import interpreters

    installed = interpreters.installed()
    found = await probe(list(installed.values()), timeout=SOON, memory=None)
    assert [str(each.version) for each in found] == list(installed)
    assert all(each.usable for each in found if each.version and each.version >= Version("3.8"))


@pytest.mark.interpreters
async def test_python_2_says_how_old_it_is() -> None:
    old = Path.home() / ".pyenv/versions/2.7.18/bin/python2.7"
    if not old.exists():
        pytest.skip("no Python 2.7 on this machine")
    found = await look(old)
    assert found.version == Version("2.7.18")
    assert found.problem == "has no venv module, which makes environments"
