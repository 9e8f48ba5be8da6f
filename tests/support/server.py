"""A whole Rostra as a user would start it: real processes, real port, real client."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support import documented

BIN = Path(sys.executable).parent


@dataclass(slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass(slots=True)
class Server:
    """One running server. ``key`` is the first administrator's API key."""

    url: str
    data_dir: Path
    config: Path
    log: Path
    environ: dict[str, str]
    secret: str
    process: subprocess.Popen[bytes] | None = None
    key: str = ""
    home: Path = field(default_factory=Path)
    samples: dict[object, object] = field(default_factory=dict)  # what `support.publishing` has published here

    def start(self, *, within: float = 60.0) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / "rostra", "serve", "--config", self.config],
                env=self.environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + within
        while True:
            with contextlib.suppress(OSError):
                if self.get("/__ping__").status == 200:
                    return
            assert self.process.poll() is None, f"the server ended:\n{self.log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.log.read_text()[-4000:]}"
            time.sleep(0.05)

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """End the supervisor and its three processes at once, as a crash of the machine would."""
        assert self.process is not None
        for pid in self.children().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait(10)

    def children(self) -> dict[str, int]:
        """Return the pids of gateway, control and keeper that run now."""
        assert self.process is not None
        found: dict[str, int] = {}
        marks = {"rostra.gateway": "gateway", "rostra.app": "control", "rostra.execution.keeper": "keeper"}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                parent = re.search(r"PPid:\s+(\d+)", (entry / "status").read_text())
                if parent and int(parent[1]) == self.process.pid:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    found |= {role: int(entry.name) for mark, role in marks.items() if mark.encode() in words}
        return found

    def get(self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
        """Send one request; header names are written with underscores. The key goes along unless another is given."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key and "Authorization" not in sent:
            sent["Authorization"] = f"Key {self.key}"
        request = urllib.request.Request(
            self.url + path, data=body, method=method, headers={k: v for k, v in sent.items() if v}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return self._read(method, path, answer.status, answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return self._read(method, path, answer.code, answer)

    def _read(self, method: str, path: str, status: int, answer: Any) -> Reply:
        """Read an answer; one of the API must be as its description says."""
        reply = Reply(status, dict(answer.headers), answer.read())
        documented.check(method, path, status, answer.headers.get("Content-Type", ""), reply.body)
        return reply

    def ask(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the API and return what it says; anything but success fails the test."""
        answer = self.get(path, method=method, body=None if body is None else json.dumps(body).encode())
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.text[:2000]}"
        return json.loads(answer.text)

    def wait_for(self, task_id: str) -> dict[str, Any]:
        """Follow a task to its end and return its last state, with all its output."""
        while not self.ask(f"/__api__/v1/tasks/{task_id}?first=1000000&wait=10")["finished"]:
            pass
        found: dict[str, Any] = self.ask(f"/__api__/v1/tasks/{task_id}")
        return found

    def client(
        self,
        *arguments: str | Path,
        check: bool = True,
        cwd: Path | None = None,
        program: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the unmodified publishing client, or an older ``program``, with its own home folder."""
        program = program or BIN / "rsconnect"
        done = subprocess.run(
            [program, *arguments],
            env=client_environment(self.home, program) | dict(variables or {}),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        said = f"{arguments}\n{done.stdout}\n{done.stderr}\n--- server\n{self.log_text()[-3000:]}"
        assert not check or done.returncode == 0, said
        return done

    def bootstrap(self) -> None:
        """Make the first administrator with the client and register the server under the name ``rostra``."""
        secret = self.home / "secret"
        secret.write_text(self.secret)
        self.key = self.client("bootstrap", "-s", self.url, "--jwt-keypath", secret, "--raw").stdout.strip()
        self.client("add", "-n", "rostra", "-s", self.url, "-k", self.key)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port


def client_environment(home: Path, program: Path) -> dict[str, str]:
    """Return the variables of a person in the program's environment; git is told who they are.

    How this machine reaches the package index is kept.
    """
    index = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_CERT_"))}
    return index | {
        "HOME": str(home),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "RSCONNECT_DISABLE_VERSION_CHECK": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_server(
    folder: Path,
    pythons: Sequence[Path],
    extra: str = "",
    *,
    start: bool = True,
    prefix: str = "",
    bootstrap: bool = True,
) -> Iterator[Server]:
    """Run a server whose configuration names ``pythons``; ``extra`` is appended to its file.

    Args:
        prefix: the path of its public address, as behind a proxy that keeps it: ``/rsc``.
        bootstrap: whether the first administrator can be made, and is.
    """
    port = free_port()
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    config, home, url = folder / "rostra.gcfg", folder / "home", f"http://127.0.0.1:{port}{prefix}"
    lines = "\n".join(f"Executable = {path}" for path in pythons)
    config.write_text(
        f"[Server]\nDataDir = {folder / 'data'}\nAddress = {url}\n[HTTP]\nListen = 127.0.0.1:{port}\n"
        f"[Bootstrap]\nEnabled = {str(bootstrap).lower()}\nSecretKey = {secret}\n"
        f"[Python]\nEnabled = true\n{lines}\n{extra}\n"
    )
    home.mkdir()
    server = Server(url, folder / "data", config, folder / "server.log", dict(os.environ), secret, home=home)
    try:
        if start:
            server.start()
            if bootstrap:
                server.bootstrap()
        yield server
    finally:
        if server.process is not None:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                server.kill()


_SHARED: pytest.StashKey[Server] = pytest.StashKey()


def shared_server(config: pytest.Config, folders: pytest.TempPathFactory, pythons: Sequence[Path]) -> Server:
    """Return one server for the whole run, started when it is first asked for and ended with the run.

    Packages it has downloaded and compiled are kept between runs beside pytest's own cache.
    """
    if _SHARED not in config.stash:
        stack = contextlib.ExitStack()
        config.add_cleanup(stack.close)
        folder, kept = folders.mktemp("rostra"), config.cache.mkdir("packages")
        for name in ("cache/uv", "bytecode"):
            stack.enter_context(_kept(kept / Path(name).name, folder / "data" / name))
        config.stash[_SHARED] = stack.enter_context(running_server(folder, pythons))
    return config.stash[_SHARED]


@contextlib.contextmanager
def _kept(there: Path, here: Path) -> Iterator[None]:
    """Take the folder ``there`` to ``here`` and back afterwards; when it cannot be moved, begin with nothing."""
    here.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        there.rename(here)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            here.rename(there)
