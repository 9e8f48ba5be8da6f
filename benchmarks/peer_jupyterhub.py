"""JupyterHub with its proxy, as a peer for what an idle server costs: started empty, measured, ended.

It is used when ``jupyterhub`` and ``configurable-http-proxy`` are found on ``PATH``, or on ``ROSTRA_BENCH_PATH``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from support.server import free_port
from support.watching import below

PROGRAMS = ("jupyterhub", "configurable-http-proxy")
CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/secret"
c.ConfigurableHTTPProxy.pid_file = "{folder}/proxy.pid"
"""


class Idle(NamedTuple):
    """Seconds until the sign-in page answers, and the processes that run then."""

    seconds: float
    pids: tuple[int, ...]


def search_path() -> str:
    return os.pathsep.join(filter(None, (os.environ.get("ROSTRA_BENCH_PATH"), os.environ["PATH"])))


def is_here() -> bool:
    return all(shutil.which(name, path=search_path()) for name in PROGRAMS)


@contextlib.contextmanager
def idle(folder: Path):  # type: ignore[no-untyped-def]
    """Run an empty hub for the length of the block; yield an `Idle`."""
    port, config = free_port(), folder / "hub.py"
    config.write_text(CONFIG.format(port=port, hub=free_port(), api=free_port(), folder=folder))
    program = shutil.which("jupyterhub", path=search_path())
    assert program, "ask is_here first"
    environment = {
        **os.environ,
        "PATH": f"{Path(program).parent}{os.pathsep}{search_path()}",
        "JUPYTERHUB_CRYPT_KEY": "",
    }
    begun = time.monotonic()
    hub = subprocess.Popen(
        [program, "-f", config],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(f"http://127.0.0.1:{port}/hub/login"):
            assert hub.poll() is None, "the hub has ended"
            assert time.monotonic() - begun < 60, "the hub does not answer"
            time.sleep(0.02)
        yield Idle(time.monotonic() - begun, (hub.pid, *below(hub.pid)))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(hub.pid, signal.SIGTERM)
        try:
            hub.wait(15)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(hub.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
