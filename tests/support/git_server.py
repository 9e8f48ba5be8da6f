"""Real Git repositories behind git's own http-backend, on loopback, with or without an account."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MANIFEST: dict[str, Any] = {
    "version": 1,
    "locale": "en_US.UTF-8",
    "metadata": {"appmode": "static", "primary_html": "index.html", "entrypoint": "index.html"},
    "packages": None,
    "files": {"index.html": {"checksum": "0" * 32}},
}
IDENTITY = {"NAME": "Ada", "EMAIL": "ada@example.org"}


@dataclass
class Remote:
    """A repository to push to, with a clone beside it. ``url`` is where a server reads it."""

    url: str
    bare: Path
    clone: Path

    def commit(self, message: str = "change", branch: str = "main", **files: str | dict[str, Any]) -> str:
        """Write files (``__`` stands for a slash, ``_dot_`` for a point), push them and return the commit."""
        for name, text in files.items():
            path = self.clone / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if isinstance(text, str) else json.dumps(text))
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", message)
        git(self.clone, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.clone, "rev-parse", "HEAD")

    def site(self, text: str, folder: str = "") -> str:
        """Push a page with its manifest."""
        place = f"{folder}__" if folder else ""
        return self.commit(**{f"{place}manifest_dot_json": MANIFEST, f"{place}index_dot_html": text})


@dataclass
class GitServer:
    """``account`` is asked of everybody when there is one; ``moved`` answers a path with a redirect; ``seen`` are the
    paths and Authorization headers of the requests. With ``hold`` the next fetch of a commit sets ``held`` and waits
    for ``go_on``, as one over a slow line would."""

    folder: Path
    account: tuple[str, str] | None = None
    moved: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    hold: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def remote(self, name: str = "project") -> Remote:
        bare, clone = self.folder / f"{name}.git", self.folder / f"{name}-clone"
        git(self.folder, "init", "-q", "--bare", "-b", "main", str(bare))
        git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(self.folder, "clone", "-q", str(bare), str(clone))
        git(clone, "checkout", "-q", "-B", "main")
        return Remote(f"{self.origin}/{name}.git", bare, clone)


def git(cwd: Path, *words: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1"}
    environ |= {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in IDENTITY.items()}
    done = subprocess.run(["git", *words], cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(words)}\n{done.stderr}"
    return done.stdout.strip()


@contextlib.contextmanager
def serving(folder: Path, account: tuple[str, str] | None = None) -> Iterator[GitServer]:
    """Serve what is in ``folder`` until the block is left."""
    server = GitServer(folder, account)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                parts = []
                while size := int(self.rfile.readline().strip() or b"0", 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                self._answer(b"".join(parts))
            else:
                self._answer(self.rfile.read(int(self.headers.get("content-length", "0"))))

        def _answer(self, body: bytes) -> None:
            given = self.headers.get("authorization", "")
            server.seen.append((self.path, given))
            parts = urlsplit(self.path)
            if server.down:
                self._plain(503)
                return
            if server.hold and b"command=fetch" in body:
                server.hold = False
                server.held.set()
                server.go_on.wait(600)
            name = parts.path.split("/")[1]
            if name in server.moved:
                self._plain(302, Location=server.moved[name] + self.path.removeprefix(f"/{name}"))
                return
            if server.account:
                expected = base64.b64encode(":".join(server.account).encode()).decode()
                if given != f"Basic {expected}":
                    self._plain(401, **{"WWW-Authenticate": 'Basic realm="git"'})
                    return
            self._cgi(parts.path, parts.query, body)

        def _plain(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _cgi(self, path: str, query: str, body: bytes) -> None:
            environ = {
                "PATH": os.environ["PATH"],
                "HOME": str(server.folder),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_PROJECT_ROOT": str(server.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GATEWAY_INTERFACE": "CGI/1.1",
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=False)
            head, _, rest = done.stdout.partition(b"\r\n\r\n")
            headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n") if b": " in line]
            status = next((int(value.split()[0]) for key, value in headers if key.lower() == "status"), 200)
            self.send_response(status)
            for key, value in headers:
                if key.lower() != "status":
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
