from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from execution.contract import alive

from rostra.execution import accounts, host
from rostra.execution.launcher import LaunchFailed
from rostra.execution.shell import SandboxedShell, hand_over
from rostra.execution.weights import Weight

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["off", pytest.param("auto", marks=pytest.mark.sandbox)])
def shell(request: pytest.FixtureRequest) -> SandboxedShell:
    facts = host.probe(request.param)
    if request.param == "auto" and facts.bwrap is None:
        pytest.skip(facts.bwrap_why)
    return SandboxedShell(facts, accounts.choose(""))


class Runner:
    def __init__(self, shell: SandboxedShell, folder: Path) -> None:
        self.shell, self.folder, self.lines = shell, folder, list[str]()

    async def __call__(
        self,
        script: str,
        *,
        env: Mapping[str, str] | None = None,
        readable: Sequence[Path] = (),
        writable: Sequence[Path] = (),
        seconds: float = 20,
    ) -> int:
        return await self.shell.run(
            ("/bin/sh", "-c", script),
            env=env or {},
            cwd=Path("/"),
            readable=readable,
            writable=writable,
            network=False,
            timeout=timedelta(seconds=seconds),
            on_line=self.lines.append,
        )


@pytest.fixture
def run(shell: SandboxedShell, short_path: Path) -> Runner:
    return Runner(shell, short_path)


BUSY = """python3 -c '
import time
held = bytearray(b"x" * 60_000_000)
while time.process_time() < 0.3: pass
print("was busy", flush=True)
END'
"""


@pytest.mark.parametrize("end", ["time.sleep(3)", "time.sleep(600)"], ids=["by itself", "cancelled"])
async def test_what_a_command_took_is_told_however_it_ends(run: Runner, end: str) -> None:
    told: list[Weight] = []
    run.shell._ended = told.append
    running = asyncio.create_task(run(BUSY.replace("END", end), seconds=300))
    while "was busy" not in run.lines:
        await asyncio.sleep(0.02)
    if "600" in end:
        running.cancel()
    await asyncio.wait((running,))
    (took,) = told
    assert 0.25 <= took.cpu_seconds < 20
    assert 60_000_000 <= took.memory_bytes < 500_000_000


async def test_status_and_lines(run: Runner) -> None:
    assert await run("echo out; echo err >&2; printf unfinished; exit 5") == 5
    assert run.lines == ["out", "err", "unfinished"]


async def test_a_command_killed_by_a_signal(run: Runner) -> None:
    assert await run("kill -9 $$") == -9


async def test_it_writes_where_it_may_as_the_account_it_runs_as(run: Runner, short_path: Path) -> None:
    scratch = short_path / "scratch"
    (scratch / "made").mkdir(parents=True)
    assert await run(f"echo x > {scratch}/made/file && echo $HOME > $HOME/x", writable=(scratch,)) == 0
    expected = (accounts.choose("") or (os.geteuid(), 0))[0]
    assert (scratch / "made" / "file").stat().st_uid == expected


async def test_only_its_own_variables(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTRA_SECRET", "x")
    await run("env", env={"UV_CACHE_DIR": "/cache", "LD_LIBRARY_PATH": "/lib"})
    names = {line.partition("=")[0] for line in run.lines}
    assert {"UV_CACHE_DIR", "LD_LIBRARY_PATH"} < names
    assert "ROSTRA_SECRET" not in names


async def test_too_long_ends_all_of_it(run: Runner) -> None:
    with pytest.raises(TimeoutError):
        await run("sleep 61 & echo started; wait", seconds=0.3)
    assert run.lines == ["started"]


async def cancelled_when_it_speaks(run: Runner, script: str, marker: Path) -> None:
    running = asyncio.create_task(run(script, writable=(marker,)))
    async with asyncio.timeout(10):
        while not run.lines:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_being_cancelled_ends_all_of_it(run: Runner, short_path: Path) -> None:
    # The number is the host's without a sandbox; with one, the marker shows that it does not go on.
    marker = short_path / "scratch"
    marker.mkdir()
    script = f"echo $$; sleep 2; echo x > {marker}/late"  # long enough for a busy machine to cancel before
    await cancelled_when_it_speaks(run, script, marker)
    if run.shell._host.bwrap is None:
        assert not alive(int(run.lines[0]))
    await asyncio.sleep(2.1)
    assert not (marker / "late").exists()


@pytest.mark.parametrize("round_", range(20))
async def test_a_shell_does_not_go_on_with_what_comes_after_the_command_that_is_ended(
    run: Runner, short_path: Path, round_: int
) -> None:
    marker = short_path / "scratch"
    marker.mkdir()
    script = f"(while :; do sleep 60; echo x > {marker}/inner; done) & echo begun; sleep 60; echo x > {marker}/outer"
    await cancelled_when_it_speaks(run, script, marker)
    assert list(marker.iterdir()) == [], round_


@pytest.mark.parametrize("missing", ["program", "cwd", "writable"])
async def test_what_is_missing_is_said(shell: SandboxedShell, missing: str) -> None:
    nowhere = Path("/nowhere")
    with pytest.raises(LaunchFailed, match="nowhere"):
        await shell.run(
            ("/nowhere/x" if missing == "program" else "/bin/true",),
            env={},
            cwd=nowhere if missing == "cwd" else Path("/"),
            readable=(nowhere,),
            writable=(nowhere,) if missing == "writable" else (),
            network=True,
            timeout=timedelta(seconds=5),
            on_line=print,
        )


@pytest.mark.sandbox
async def test_it_sees_nothing_else(short_path: Path) -> None:
    facts = host.probe("auto")
    if facts.bwrap is None:
        pytest.skip(facts.bwrap_why)
    run = Runner(SandboxedShell(facts, accounts.choose("")), short_path)
    (short_path / "bundle").mkdir()
    (short_path / "bundle" / "requirements.txt").write_text("dash")
    (short_path / "secret").write_text("x")
    assert (
        await run(
            f"ls {short_path}; cat {short_path}/bundle/*; touch {short_path}/bundle/new",
            readable=(short_path / "bundle",),
        )
        != 0
    )
    assert run.lines[:2] == ["bundle", "dashtouch: cannot touch " + f"'{short_path}/bundle/new': Read-only file system"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand folders over")
def test_handing_over_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(outside)
    (folder / "deep" / "file").write_text("x")
    hand_over(folder, 65534, 65534)
    assert outside.stat().st_uid == 0
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {65534}


async def test_private_folders_are_made_where_they_are_wanted(short_path: Path) -> None:
    facts = host.probe("off")
    run = Runner(SandboxedShell(facts, accounts.choose(""), scratch=short_path), short_path)
    assert await run("echo $HOME") == 0
    assert Path(run.lines[0]).is_relative_to(short_path)
    assert list(short_path.iterdir()) == []
