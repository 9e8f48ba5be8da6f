"""What content can see and do, tried from inside a real sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from execution.contract import REAL, Commands, LauncherContract, alive, next_exit

from rostra.execution import accounts, host, logs
from rostra.execution.keeper_client import KeeperLauncher
from rostra.execution.launcher import Launch, Mount
from rostra.execution.local import LocalLauncher
from rostra.execution.tree import _descendants
from rostra.ids import ProcessKey, new_key

pytestmark = [pytest.mark.sandbox, pytest.mark.anyio]

FACTS, GROUPS = host.discover("auto")
PYTHON = "/usr/bin/python3"


@pytest.fixture(autouse=True)
def needs_a_sandbox() -> None:
    if FACTS.bwrap is None:
        pytest.skip(FACTS.bwrap_why)
    if not Path(PYTHON).exists():
        pytest.skip("no /usr/bin/python3 to try things with")


@pytest.fixture
async def launcher() -> AsyncIterator[LocalLauncher]:
    async with LocalLauncher(*host.discover("required")) as local:
        yield local


@pytest.fixture
def commands(short_path: Path) -> Commands:
    return Commands(short_path, **REAL)  # type: ignore[arg-type]


class TestSandboxedLauncher(LauncherContract):
    pass


@dataclass
class Server:
    """A data folder as a server has it, and one piece of content in it."""

    data: Path
    launcher: LocalLauncher

    @property
    def code(self) -> Path:
        return self.data / "apps" / "one" / "1"

    def launch(self, script: str, **changes: Any) -> Launch:
        key = ProcessKey(new_key())
        asked: dict[str, Any] = {
            "key": key,
            "argv": (PYTHON, "-I", "-c", script),
            "cwd": self.code,
            "env": {},
            "run_dir": self.data / "run" / "p" / key,
            "log": self.data / "jobs" / "one" / f"{key}.log",
            "mounts": (Mount(self.code), Mount(self.data / "environments" / "abc")),
        }
        return Launch(**{**asked, **changes})

    async def ask(self, script: str, **changes: Any) -> Any:
        """Run ``script`` inside and return what it prints as JSON."""
        launch = self.launch(script, **changes)
        exits = self.launcher.exits()
        await self.launcher.start(launch)
        end = await next_exit(exits, launch.key)
        lines = [line.text for line in logs.read(launch.log)]
        assert end.code == 0, lines
        return json.loads(lines[-1])


@pytest.fixture
def server(short_path: Path, launcher: LocalLauncher) -> Server:
    made = Server(short_path / "data", launcher)
    for name in ("apps/one/1/app.py", "apps/two/1/app.py", "environments/abc/bin/tool", "secrets/key", "rostra.db"):
        path = made.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")
    (made.data / "secrets").chmod(0o700)
    return made


TRY_TO_READ = """
import json, os, sys
def can(path):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).read(1)
        return True
    except OSError:
        return False
print(json.dumps({path: can(path) for path in PATHS}))
"""


async def test_it_reads_its_own_and_nothing_else(server: Server) -> None:
    own = [server.code / "app.py", server.data / "environments/abc/bin/tool"]
    other = [
        server.data / "apps/two/1/app.py",
        server.data / "secrets/key",
        server.data / "secrets",
        server.data / "rostra.db",
        server.data / "jobs",
        *map(
            Path, ("/root", "/home", "/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/var/log", "/run", "/sys", "/boot")
        ),
        Path.home(),
    ]
    script = f"PATHS = {[*map(str, own), *map(str, other)]!r}\n" + TRY_TO_READ
    found = await server.ask(script)
    assert {path for path, readable in found.items() if readable} == set(map(str, own))


async def test_the_first_process_inside_gives_nothing_away(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTRA_POSTGRES_PASSWORD", "secret")
    script = """
import json, os
def attempt(look):
    try:
        return look()
    except OSError:
        return None
root, environ = attempt(lambda: sorted(os.listdir('/proc/1/root'))), attempt(lambda: open('/proc/1/environ').read())
print(json.dumps([root in (None, sorted(os.listdir('/'))), 'secret' in (environ or '')]))
"""
    assert await server.ask(script) == [True, False]


async def test_the_data_folder_looks_as_if_it_held_only_what_is_shown(server: Server) -> None:
    script = f"import json, os; print(json.dumps(sorted(os.listdir({str(server.data)!r}))))"
    assert await server.ask(script) == ["apps", "environments", "run"]


TRY_TO_WRITE = """
import json
def can(path):
    try:
        open(path, 'w').write('x')
        return True
    except OSError:
        return False
print(json.dumps([path for path in PATHS if can(path)]))
"""


async def test_it_writes_only_what_is_private(server: Server) -> None:
    launch = server.launch("")
    private = ["/tmp/x", "/tmp/home/x", "/dev/shm/x", str(launch.run_dir / "x")]
    shared = [
        str(server.code / "app.py"),
        str(server.code / "new"),
        str(server.data / "environments/abc/bin/tool"),
        str(server.data / "environments/abc/new"),
        str(server.data / "new"),
        "/usr/new",
        "/etc/new",
        "/etc/passwd",
        "/etc/hosts",
        "/new",
        "/proc/sys/kernel/hostname",
    ]
    script = f"PATHS = {[*private, *shared]!r}\n" + TRY_TO_WRITE
    assert await server.ask(script, key=launch.key, run_dir=launch.run_dir) == private


async def test_the_temporary_folder_is_its_own(server: Server) -> None:
    script = "import json, os; open('/tmp/mine', 'w').close(); print(json.dumps(sorted(os.listdir('/tmp'))))"
    assert await server.ask(script) == ["home", "mine"]
    assert not Path("/tmp/mine").exists()


async def test_it_is_nobody_of_importance(server: Server) -> None:
    script = """
import json, os
status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
print(json.dumps({name: status[name].split() for name in
    ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')}))
"""
    found = await server.ask(script)
    expected = accounts.choose("") or (os.geteuid(), os.getegid())
    assert set(found["Uid"]) == {str(expected[0])}
    assert set(found["Gid"]) == {str(expected[1])}
    assert "0" not in found["Uid"]
    assert found["NoNewPrivs"] == ["1"]
    assert {found[name][0] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    if FACTS.root:
        assert found["CapBnd"] == ["0" * 16]


async def test_it_sees_only_its_own_processes(server: Server) -> None:
    script = "import json, os; print(json.dumps([int(n) for n in os.listdir('/proc') if n.isdigit()]))"
    seen = await server.ask(script)
    assert len(seen) == 2  # the sandbox's first process and itself
    assert max(seen) < 10


async def test_accounts_are_not_the_hosts(server: Server) -> None:
    script = "import json, pwd, os; print(json.dumps([[a.pw_name for a in pwd.getpwall()], os.path.expanduser('~')]))"
    names, home = await server.ask(script)
    assert set(names) <= {"root", "nobody", "rostra"}
    assert home == "/tmp/home"


async def test_its_environment_holds_no_secret_of_the_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTRA_POSTGRES_PASSWORD", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    found = await server.ask(script, env={"OWN": "value"})
    assert found.pop("OWN") == "value"
    assert set(found) <= {"PATH", "HOME", "TMPDIR", "LANG", "USER", "LOGNAME", "PWD", "LC_CTYPE"}


async def test_a_value_of_its_environment_is_not_on_any_command_line(server: Server) -> None:
    launch = server.launch("import time; time.sleep(60)", env={"TOKEN": "not-for-everybody"})
    running = await server.launcher.start(launch)
    pids = [running.pid, *_descendants(running.pid)]
    assert len(pids) >= 2
    for pid in pids:
        assert b"not-for-everybody" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    await server.launcher.stop(launch.key, grace_seconds=0)


async def test_a_library_it_wants_preloaded_is_not_loaded_by_the_sandbox(server: Server) -> None:
    """The loader complains once for each program it starts: the sandbox's own programs must not be among them."""
    launch = server.launch("print(1)", env={"LD_PRELOAD": str(server.code / "app.py")})
    exits = server.launcher.exits()
    await server.launcher.start(launch)
    await next_exit(exits, launch.key)
    complaints = [line.text for line in logs.read(launch.log) if "LD_PRELOAD" in line.text]
    assert len(complaints) == 1


async def test_without_network_there_is_only_loopback(server: Server) -> None:
    script = "import json, socket; print(json.dumps([name for _, name in socket.if_nameindex()]))"
    assert await server.ask(script, network=False) == ["lo"]


async def test_names_can_be_looked_up_and_certificates_checked(server: Server) -> None:
    script = """
import json, os, socket, ssl
print(json.dumps([socket.gethostbyname('localhost'), bool(ssl.create_default_context().get_ca_certs()),
    os.path.exists('/etc/resolv.conf')]))
"""
    address, certificates, resolver = await server.ask(script)
    assert address.startswith("127.")
    assert certificates == bool(Path("/etc/ssl/certs").exists() and any(Path("/etc/ssl/certs").iterdir()))
    assert resolver == Path("/etc/resolv.conf").exists()


async def test_it_can_listen_where_it_should(server: Server) -> None:
    launch = server.launch("")
    script = f"""
import socket, time
s = socket.socket(socket.AF_UNIX); s.bind({str(launch.socket)!r}); s.listen(); time.sleep(60)
"""
    await server.launcher.start(server.launch(script, key=launch.key, run_dir=launch.run_dir))
    from rostra.execution import sockets

    assert await sockets.wait_until_accepting(launch.socket, asyncio.Event(), 10)
    await server.launcher.stop(launch.key, grace_seconds=0)


ESCAPE = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print('detached', flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
"""


async def test_a_process_that_detaches_ends_with_the_one_that_was_started(server: Server) -> None:
    launch = server.launch(ESCAPE + "time.sleep(600)")
    running = await server.launcher.start(launch)
    async with asyncio.timeout(10):
        while not logs.read(launch.log):
            await asyncio.sleep(0.01)
    tree = [running.pid, *_descendants(running.pid)]
    assert len(tree) >= 4  # bubblewrap outside and inside, the program, the one that detached
    await server.launcher.stop(launch.key, grace_seconds=0)
    assert not any(map(alive, tree))


async def test_a_process_that_detaches_does_not_outlive_a_program_that_ends(server: Server) -> None:
    launch = server.launch(ESCAPE + "time.sleep(0.3)")
    exits = server.launcher.exits()
    running = await server.launcher.start(launch)
    async with asyncio.timeout(10):
        while not logs.read(launch.log):
            await asyncio.sleep(0.01)
    tree = [running.pid, *_descendants(running.pid)]
    await next_exit(exits, launch.key)
    assert not any(map(alive, tree))


@contextlib.contextmanager
def keeper(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "rostra.execution.keeper", "--socket", str(folder / "keeper.sock")]
    process = subprocess.Popen(argv)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def until_gone(tree: list[int]) -> None:
    async with asyncio.timeout(5):
        while any(map(alive, tree)):
            await asyncio.sleep(0.01)


async def test_kill_9_of_the_keeper_ends_the_sandboxes(short_path: Path, commands: Commands) -> None:
    with keeper(short_path) as first:
        async with KeeperLauncher(short_path / "keeper.sock", away_seconds=20) as client:
            for _ in range(3):
                await client.start(commands.launch(commands.sleep))
            async with asyncio.timeout(5):
                while len(tree := _descendants(first.pid)) < 9:  # two of bubblewrap and the program, each
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            first.kill()
            await until_gone(tree)


async def test_what_a_keeper_left_that_was_killed_while_starting_is_ended_by_the_next(
    short_path: Path, commands: Commands
) -> None:
    with keeper(short_path) as first:
        async with KeeperLauncher(short_path / "keeper.sock", away_seconds=20) as client:
            for _ in range(5):
                await client.start(commands.launch(commands.sleep))
            first.kill()
            first.wait()
            with keeper(short_path):
                assert await client.running() == ()
                async with asyncio.timeout(5):
                    while host.sandboxes(short_path / "p"):
                        await asyncio.sleep(0.01)


async def test_more_memory_than_allowed_ends_it(server: Server) -> None:
    launch = server.launch("x = bytearray(300_000_000); print(len(x))", memory_bytes=100_000_000)
    exits = server.launcher.exits()
    await server.launcher.start(launch)
    assert (await next_exit(exits, launch.key)).code != 0
    assert "300000000" not in [line.text for line in logs.read(launch.log)]


async def test_more_processor_than_allowed_is_not_given(server: Server) -> None:
    if not FACTS.cpu_groups:
        pytest.skip("no writable control group counts processor time here")
    script = """
import os, time
pids = [os.fork() for _ in range(2)]
begun = time.monotonic()
while time.monotonic() - begun < 1:
    pass
if all(pids):
    for pid in pids:
        os.waitpid(pid, 0)
    times = os.times()
    print((times.user + times.system + times.children_user + times.children_system) / (time.monotonic() - begun))
else:
    os._exit(0)
"""
    launch = server.launch(script, cpus=0.2)
    exits = server.launcher.exits()
    await server.launcher.start(launch)
    assert (await next_exit(exits, launch.key)).code == 0
    [share] = [float(line.text) for line in logs.read(launch.log)]
    assert share < 0.4, "of one processor, for all its processes together"


async def test_a_fork_bomb_is_contained(server: Server) -> None:
    if not FACTS.process_groups:
        pytest.skip("no writable control group counts processes here")
    script = """
import json, os, signal, time
children = []
try:
    while len(children) < 3000:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
        children.append(pid)
except OSError:
    pass
for pid in children:
    os.kill(pid, signal.SIGKILL)
print(json.dumps(len(children)))
"""
    assert await server.ask(script) < 1100


async def test_every_interpreter_starts_also_from_a_private_home(server: Server, pythons: dict[str, Path]) -> None:
    script = (
        "import ctypes, hashlib, json, sqlite3, ssl, sys; print(json.dumps('.'.join(map(str, sys.version_info[:3]))))"
    )
    for version, python in pythons.items():
        real = python.resolve()
        prefix = real.parent.parent
        mounts = () if prefix == Path("/usr") else (Mount(prefix),)
        found = await server.ask(script, argv=(str(python), "-I", "-c", script), mounts=(Mount(server.code), *mounts))
        assert found == version
