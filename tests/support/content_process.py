"""Starts the runner on real content and talks to it over its unix socket, as the gateway does."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

RUNNER = Path(__file__).parents[2] / "src/rostra/runner/main.py"
BASE_PATH = "/content/5c2b8f0e-1111-4222-8333-944445555666/"
HOST = "visitors.example"


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a unix socket."""

    def __init__(self, path: Path, timeout: float = 30) -> None:
        super().__init__(HOST, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Content:
    """One process of content. ``url`` is where visitors would reach it."""

    process: subprocess.Popen[bytes]
    socket: Path
    log_file: Path
    base_path: str = BASE_PATH
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}{self.base_path}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def wait_until_ready(self, seconds: float = 90) -> None:
        until = time.monotonic() + seconds
        while not self.socket.exists():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.log}")
            assert time.monotonic() < until, f"not ready in time:\n{self.log}"
            time.sleep(0.02)

    def get(self, path: str = "", **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """``path`` is relative to the base path, or absolute."""
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        connection = UnixConnection(self.socket)
        try:
            connection.request(
                method, urlsplit(urljoin(self.url, path))._replace(scheme="", netloc="").geturl(), body, named
            )
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def stop(self, seconds: float = 15) -> int:
        """Send SIGTERM, return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def running(
    python: Path,
    kind: str,
    entrypoint: str,
    code_dir: Path,
    *,
    overlay: Path | str = "",
    base_path: str = BASE_PATH,
    wait: bool = True,
) -> Iterator[Content]:
    """Start content in a private folder with a short path; ends it with the block."""
    with tempfile.TemporaryDirectory(prefix="rr-") as private:
        folder = Path(private)
        for name in ("home", "tmp", "run"):
            (folder / name).mkdir()
        content = Content(
            process=_started(python, kind, entrypoint, code_dir, overlay=overlay, base_path=base_path, folder=folder),
            socket=folder / "run/s",
            log_file=folder / "log",
            base_path=base_path,
        )
        try:
            if wait:
                content.wait_until_ready()
            yield content
        finally:
            if content.process.poll() is None:
                content.process.kill()
            content.process.wait()


def _started(
    python: Path, kind: str, entrypoint: str, code_dir: Path, *, overlay: Path | str, base_path: str, folder: Path
) -> subprocess.Popen[bytes]:
    words = {
        "--kind": kind,
        "--entrypoint": entrypoint,
        "--socket": str(folder / "run/s"),
        "--base-path": base_path,
        "--overlay": str(overlay),
        "--public-url": f"http://{HOST}{base_path}",
    }
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8"}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [python, "-u", RUNNER, *(f"{name}={value}" for name, value in words.items())],
            cwd=code_dir,
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "base":
            self.base = values.get("href") or ""
        for name in ("src", "href"):
            value = values.get(name)
            if value and tag in ("script", "link", "img", "a") and not value.startswith(("#", "data:", "mailto:")):
                self.found.append(value)


def links(page: str, url: str) -> list[str]:
    """Return the absolute URLs of what ``page`` at ``url`` refers to on the same host, without repeats."""
    parser = _Links()
    parser.feed(page)
    base = urljoin(url, parser.base)
    found = dict.fromkeys(urljoin(base, link) for link in parser.found)
    return [link for link in found if urlsplit(link).netloc == urlsplit(url).netloc]
