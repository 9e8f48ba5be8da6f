"""The runner as a process, on this very Python: errors in words, ready means ready, and a clean end."""

from __future__ import annotations

import concurrent.futures
import sys
import threading
from pathlib import Path

import pytest
from support import content_process
from support.content_process import Content

PYTHON = Path(sys.executable)
ASGI = """
import asyncio, os, sys, threading
from pathlib import Path

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                print("lifespan over", flush=True)
                await send({"type": "lifespan.shutdown.complete"})
                return
    if scope["path"].endswith("/slow"):
        print("slow began", flush=True)
        await asyncio.sleep(0.5)
    body = f"{scope['root_path']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def started(folder: Path, code: str, entrypoint: str = "app:app", *, kind: str = "asgi", wait: bool = True):  # type: ignore[no-untyped-def]
    (folder / "app.py").write_text(code)
    return content_process.running(PYTHON, kind, entrypoint, folder, wait=wait)


@pytest.mark.parametrize(
    ("kind", "code", "entrypoint", "said"),
    [
        ("asgi", "import nothing_like_it", "app", "app.py cannot be imported: no module named 'nothing_like_it'"),
        ("asgi", "x = 1", "app:app", "app.py has no object named app."),
        ("asgi", "app = 42", "app:app", "app of 'app:app' is int, which is not an application."),
        ("wsgi", "", "nope:app", "There is no nope.py in this bundle. Python files in it: app.py."),
        ("wsgi", "", "app:create()", "The entrypoint 'app:create()' is neither a module nor module:object."),
        ("shiny", "", "shiny.express.app:app_2e_py", "No module named 'shiny' is installed for this content."),
        ("voila", "", "x.ipynb", "No module named 'voila' is installed for this content."),
    ],
)
def test_content_that_cannot_start_says_why_first(
    kind: str, code: str, entrypoint: str, said: str, tmp_path: Path
) -> None:
    with started(tmp_path, code, entrypoint, kind=kind, wait=False) as content:
        assert content.process.wait(20) == 1
        assert content.log.splitlines()[0].startswith("rostra: " + said)
        assert not content.socket.exists()


def test_a_lifespan_that_fails_is_said(tmp_path: Path) -> None:
    code = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""
    with started(tmp_path, code, wait=False) as content:
        assert content.process.wait(20) == 1
        assert "rostra: The application's own start-up (lifespan) failed." in content.log
        assert "no database" in content.log
        assert not content.socket.exists()


def test_the_first_connection_is_answered(tmp_path: Path) -> None:
    with started(tmp_path, ASGI) as content:
        answer = content.get("x")
        assert answer.text == f"{content.base_path.rstrip('/')} {content.base_path}x"


def test_sigterm_finishes_what_is_running_and_ends_well(tmp_path: Path) -> None:
    with started(tmp_path, ASGI) as content, concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(content.get, "slow")
        _wait_for(content, "slow began")
        assert content.stop() == 0
        assert slow.result(10).status == 200
        assert "lifespan over" in content.log
        assert not content.socket.exists()


def test_sigterm_before_it_serves_ends_well(tmp_path: Path) -> None:
    with started(tmp_path, "import time\nprint('importing', flush=True)\ntime.sleep(60)", wait=False) as content:
        _wait_for(content, "importing")
        assert content.stop() == 0


def test_threads_left_behind_do_not_keep_it_alive(tmp_path: Path) -> None:
    code = ASGI + "\nthreading.Thread(target=threading.Event().wait).start()\n"
    with started(tmp_path, code) as content:
        assert content.stop() == 0


@pytest.mark.parametrize("name", ["main", "start", "wsgi", "asgi", "options"])
def test_the_authors_modules_may_be_called_as_the_runners_files(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text(ASGI)
    with content_process.running(PYTHON, "asgi", f"{name}:app", tmp_path) as content:
        assert content.get("x").status == 200


def test_modules_of_the_bundle_are_found_as_python_m_finds_them(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("NAME = 'helper'")
    with started(tmp_path, "import sys, helpers\nprint(sys.path[0], helpers.NAME, flush=True)\n" + ASGI) as content:
        assert f"{tmp_path} helper" in content.log


def test_a_script_that_starts_its_own_server_is_served_all_the_same(tmp_path: Path) -> None:
    with started(tmp_path, ASGI + "\nimport uvicorn\nuvicorn.run(app, port=1)\n") as content:
        assert content.get("x").status == 200
        assert "uvicorn.run() was ignored" in content.log


def _wait_for(content: Content, text: str) -> None:
    pause = threading.Event()
    for _ in range(500):
        if text in content.log:
            return
        pause.wait(0.02)
    raise AssertionError(f"{text!r} did not come:\n{content.log}")
