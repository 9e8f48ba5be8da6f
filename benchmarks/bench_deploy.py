"""P7: from uploading a changed bundle to the first answer of the new version, against doing it by hand.

By hand means what a script on the same machine does: a venv, pip, the framework's own server, wait until it answers.
Both have the wheels at hand; each round changes the code, not the packages.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from benchmarks.harness import Row, interleaved, rounds, row

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support import interpreters
from support.server import Server, running_server

NAME = "deploy"
FLASK = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef index():\n    return 'version {}'\n"
DASH = (
    "from dash import Dash, html\nimport pandas\napp = Dash(__name__)\napp.layout = html.P('hello')\n"
    "server = app.server\n"
    "@server.get('/version')\ndef version():\n    return 'version {}'\n"
)
STACKS = {
    "Flask": ("python-api", FLASK, "flask\n", "", "0.5"),
    "Dash and pandas": ("python-dash", DASH, "dash\npandas\n", "version", "1"),
}


def run(quick: bool) -> list[Row]:
    """Return one finding for each stack."""
    python = interpreters.minor("3.11") or Path(sys.executable)
    found: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="rostra-bench-") as folder,
        running_server(Path(folder), [python]) as server,
    ):
        for stack, (kind, code, needs, path, target) in STACKS.items():
            with wheels(Path(folder) / stack.split()[0], needs, python) as links:
                found += compare(
                    server,
                    python,
                    links,
                    stack=stack,
                    kind=kind,
                    code=code,
                    needs=needs,
                    path=path,
                    target=target,
                    repeats=min(rounds(quick), 5),
                )
    return found


def compare(
    server: Server,
    python: Path,
    links: Path,
    *,
    stack: str,
    kind: str,
    code: str,
    needs: str,
    path: str,
    target: str,
    repeats: int,
) -> Iterator[Row]:
    guid = json.loads(call(server, "v1/content", {"name": f"bench-{stack.split(maxsplit=1)[0].lower()}"}))["guid"]
    number = iter(range(1_000_000))

    def ours() -> None:
        publish(server, guid, kind, code.format(next(number)), needs, python, path)

    ours()  # the packages are installed once
    with closing(Timer()) as timer:
        hand = timer.measured(lambda: by_hand(links, python, code.format(next(number)), needs, path))
        took = interleaved({"ours": ours, "hand": hand}, repeats)
    limit = float(target)
    yield row(
        "P7",
        f"{stack}: upload to first answer, seconds",
        ours=took["ours"],
        peer=None,
        unit="s",
        target=f"<= {target} s",
        met=took["ours"] <= limit,
    )
    yield row(
        "P7",
        f"{stack}: against venv, pip and start",
        ours=took["ours"],
        peer=took["hand"],
        unit="s",
        target="<= 1/15",
        met=took["ours"] * 15 <= took["hand"],
    )


class Timer:
    """Cleans up what one round by hand leaves, outside of the time it takes."""

    def __init__(self) -> None:
        self._left: list[tuple[subprocess.Popen[bytes], Path]] = []

    def measured(self, work: Callable[[], tuple[subprocess.Popen[bytes], Path]]) -> Callable[[], None]:
        def once() -> None:
            self.close()
            self._left.append(work())

        return once

    def close(self) -> None:
        for process, folder in self._left:
            process.kill()
            process.wait()
            shutil.rmtree(folder)
        self._left.clear()


def publish(server: Server, guid: str, kind: str, code: str, needs: str, python: Path, path: str) -> None:
    """Upload, deploy, and wait until the new code answers."""
    expected = code.split("return 'version ")[1].split("'", maxsplit=1)[0]
    bundle = json.loads(call(server, f"v1/content/{guid}/bundles", archive(kind, code, needs, python)))["id"]
    task = json.loads(call(server, f"v1/content/{guid}/deploy", {"bundle_id": bundle}))["task_id"]
    while not (view := json.loads(call(server, f"v1/tasks/{task}?wait=5")))["finished"]:
        pass
    assert view["code"] == 0, view
    answer = server.get(f"/content/{guid}/{path}").text
    assert answer == f"version {expected}", answer


def archive(kind: str, code: str, needs: str, python: Path) -> bytes:
    version = python.parent.parent.name if python.parent.parent.name[:1].isdigit() else "3.11.0"
    files = {"app.py": code.encode(), "requirements.txt": needs.encode()}
    manifest = {
        "version": 1,
        "metadata": {"appmode": kind, "entrypoint": "app"},
        "python": {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}},
        "files": {name: {"checksum": hashlib.md5(data).hexdigest()} for name, data in files.items()},
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, data in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def call(server: Server, path: str, body: object = None) -> str:
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    answer = server.get(f"/__api__/{path}", method="GET" if data is None else "POST", body=data)
    assert answer.status < 300, answer.text
    return answer.text


@contextmanager
def wheels(folder: Path, needs: str, python: Path) -> Iterator[Path]:
    """A folder with the wheels of ``needs``, so that pip need not ask the package index."""
    folder.mkdir(parents=True)
    subprocess.run(
        [python, "-m", "pip", "download", "-q", "-d", folder, *needs.split(), "gunicorn"],
        check=True,
        capture_output=True,
    )
    yield folder


def by_hand(links: Path, python: Path, code: str, needs: str, path: str) -> tuple[subprocess.Popen[bytes], Path]:
    folder = Path(tempfile.mkdtemp(prefix="rostra-hand-"))
    (folder / "app.py").write_text(code)
    subprocess.run([python, "-m", "venv", folder / "env"], check=True)
    pip = [folder / "env/bin/python", "-m", "pip", "install", "-q", "--no-index", "--find-links", links]
    subprocess.run([*pip, *needs.split(), "gunicorn"], check=True, env={**os.environ, "PIP_EXTRA_INDEX_URL": ""})
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    target = "app:server" if "server = " in code else "app:app"
    process = subprocess.Popen(
        [folder / "env/bin/gunicorn", "-b", f"127.0.0.1:{port}", "--log-level", "error", target], cwd=folder
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            assert answer.read().decode().startswith("version")
            return process, folder
        time.sleep(0.01)
    raise TimeoutError("the server started by hand does not answer")
