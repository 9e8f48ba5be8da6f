"""The plain shell, with real programs."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from rostra.environments.errors import ShellFailed
from rostra.environments.shell import LINE_LENGTH, PlainShell

pytestmark = pytest.mark.anyio


async def run(tmp_path: Path, program: str, *, seconds: float = 20.0, **env: str) -> tuple[int, list[str]]:
    lines: list[str] = []
    code = await PlainShell().run(
        ["/bin/sh", "-c", program],
        env={"PATH": "/usr/bin:/bin", **env},
        cwd=tmp_path,
        readable=(),
        writable=(),
        network=False,
        timeout=timedelta(seconds=seconds),
        on_line=lines.append,
    )
    return code, lines


async def test_lines_of_both_streams_in_order(tmp_path: Path) -> None:
    assert await run(tmp_path, "echo one; echo two >&2; printf three") == (0, ["one", "two", "three"])


@pytest.mark.parametrize(("program", "code"), [("exit 7", 7), ("kill -9 $$", -9)])
async def test_the_exit_status(tmp_path: Path, program: str, code: int) -> None:
    assert (await run(tmp_path, program))[0] == code


async def test_undecodable_bytes_are_replaced(tmp_path: Path) -> None:
    assert await run(tmp_path, r"printf 'caf\351\nna\303\257ve\n'") == (0, ["caf\ufffd", "naïve"])


async def test_a_carriage_return_ends_a_line(tmp_path: Path) -> None:
    assert await run(tmp_path, r"printf '10%%\r20%%\n\n'") == (0, ["10%", "20%"])


async def test_a_long_line_is_cut(tmp_path: Path) -> None:
    _, lines = await run(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end")
    assert lines == ["x" * LINE_LENGTH + " ...", "end"]


async def test_output_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rostra.environments.shell.OUTPUT_LENGTH", 1000)
    code, lines = await run(tmp_path, "seq 100000")
    assert code == 0
    assert lines[-1] == "(the rest of the output is left out)"
    assert len(lines) < 400


async def test_only_the_given_variables_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "x")
    _, lines = await run(tmp_path, "env", SAID="yes")
    assert "SAID=yes" in lines
    assert not any("SERVER_SECRET" in line for line in lines)


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ShellFailed, match="no-such-program"):
        await PlainShell().run(
            ["/no-such-program"], env={}, cwd=tmp_path, readable=(), writable=(), network=False,
            timeout=timedelta(seconds=5), on_line=print,
        )  # fmt: skip


async def test_a_timeout_ends_the_whole_tree(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        await run(tmp_path, "sleep 600 & echo $! > child; wait", seconds=0.3)
    await gone(int((tmp_path / "child").read_text()))


async def test_what_outlives_its_leader_is_ended(tmp_path: Path) -> None:
    code, _ = await run(tmp_path, "sleep 600 & echo $! > child; exit 3")
    assert code == 3
    await gone(int((tmp_path / "child").read_text()))


async def test_cancelling_ends_the_whole_tree(tmp_path: Path) -> None:
    program = "sleep 600 & echo $! > child; mv child child.ready; wait"
    task = asyncio.ensure_future(run(tmp_path, program))
    while not (tmp_path / "child.ready").exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(int((tmp_path / "child.ready").read_text()))


async def test_output_in_a_pipe_somebody_else_holds_does_not_keep_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rostra.environments.shell._DRAIN_SECONDS", 0.1)
    escape = (
        f"{sys.executable} -c 'import os,time; os.setsid(); print(os.getpid(), flush=True); time.sleep(30)' & sleep 1"
    )
    began = time.monotonic()
    code, lines = await run(tmp_path, escape)
    os.kill(int(lines[0]), 9)
    assert code == 0
    assert time.monotonic() - began < 15


async def gone(pid: int) -> None:
    """Wait until a killed process is no more; who reaps it is not us."""
    for _ in range(500):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{pid} is still alive")
