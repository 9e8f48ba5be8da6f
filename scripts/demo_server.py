"""The demonstration's server: its configuration, its start and end, its first administrator, and the client."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
START_SECONDS = 90
STOP_SECONDS = 30
Say = Callable[[str], object]


class DemoFailed(Exception):
    """Something a reader can do something about; the text says what."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demonstration. ``key`` is the first administrator's."""

    folder: Path
    config: Path
    url: str
    process: subprocess.Popen[bytes]
    key: str

    def installed(self, language: str) -> list[str]:
        """Return the versions of a language's usable runtimes, oldest first."""
        answer = json.loads(run([BIN / "rostra", "runtimes", "list", "--config", self.config, "--json"]))
        rows = answer["runtimes"] if isinstance(answer, dict) else answer
        return [row["version"] for row in rows if row["usable"] and row.get("language", "Python") == language]

    def sign_in_link(self) -> str:
        return run([BIN / "rostra", "users", "sign-in-link", "--config", self.config]).strip()

    def wait(self) -> None:
        """Wait for the server to end; Ctrl-C comes out as KeyboardInterrupt."""
        self.process.wait()

    def ask(self, path: str, method: str = "GET", body: object = None, *, key: bool = True) -> tuple[int, Any]:
        """Return the status of an answer, and what it says when that is JSON."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310  # our own server
        if key:
            request.add_header("Authorization", f"Key {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                said = answer.read()
                return int(answer.status), json.loads(said) if path.startswith("/__api__") and said else None
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, None
        except OSError:
            return 0, None


@contextlib.contextmanager
def running(folder: Path, port: int, say: Say) -> Iterator[Demo]:
    """Start the server kept in ``folder``, making it the first time, and end it with the block.

    Raises:
        DemoFailed: it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config, url = configured(folder, port)
    say(f"Rostra at {url}   folder {folder}   log {folder / 'server.log'}")
    with server(folder, config, url) as process:
        yield Demo(folder, config, url, process, administrator(folder, url))


def configured(folder: Path, port: int) -> tuple[Path, str]:
    """Return the configuration file and the address of this folder's server, made once."""
    config = folder / "rostra.gcfg"
    if config.exists():
        lines = (line.partition("=") for line in config.read_text().splitlines())
        return config, next(value.strip() for name, _, value in lines if name.strip() == "Address")
    port = port if is_free(port) else another_port()
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    url = f"http://127.0.0.1:{port}"
    written = (
        "; Written by `make demo`. No Executable lines: Rostra uses the interpreters it finds.\n"
        f"[Server]\nDataDir = {folder / 'data'}\nAddress = {url}\n[HTTP]\nListen = 127.0.0.1:{port}\n"
        f"[Bootstrap]\nEnabled = true\nSecretKeyFile = {secret}\n[Python]\nEnabled = true\n"
    )
    config.write_text(written + ("[R]\nEnabled = true\n" if shutil.which("R") else ""))
    return config, url


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an earlier server's last connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def another_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(folder: Path, config: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server in a session of its own, so that Ctrl-C reaches this program and not the server's middle."""
    if not is_free(port := int(url.rpartition(":")[2])):
        raise DemoFailed(
            f"Port {port} is in use: is this demonstration running already? Stop it, or remove {folder} to use another."
        )
    log = folder / "server.log"
    with log.open("ab") as lines:
        words = [BIN / "rostra", "serve", "--config", config]
        process = subprocess.Popen(words, stdout=lines, stderr=lines, start_new_session=True)
    try:
        wait_until_ready(process, url, log)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Raises: DemoFailed."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url + "/__ping__", timeout=5):  # noqa: S310
            return
        time.sleep(0.1)
    raise DemoFailed(f"The server did not start. The end of its log, {log}:\n{log.read_text()[-2000:]}")


def administrator(folder: Path, url: str) -> str:
    """Return the first administrator's key, made by the client the first time, and register the server with it."""
    kept = folder / "key"
    if not kept.exists():
        key = client(folder, "bootstrap", "-s", url, "--jwt-keypath", folder / "secret", "--raw").strip()
        scratch = folder / ".scratch-key"
        scratch.touch(mode=0o600)
        scratch.write_text(key)
        scratch.rename(kept)
        client(folder, "add", "-n", "rostra", "-s", url, "-k", key)
    return kept.read_text()


def environment(folder: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "RSCONNECT_DISABLE_VERSION_CHECK": "1"}


def client(folder: Path, *words: str | Path) -> str:
    return run([BIN / "rsconnect", *words], environ=environment(folder))


def run(words: list[str | Path], environ: dict[str, str] | None = None) -> str:
    """Raises: DemoFailed: with what the program said."""
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"{' '.join(map(str, words))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
