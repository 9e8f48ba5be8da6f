"""Runs the embedded gateway for tests: in a thread with its own loop, or as the process it is in production."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import uvloop

from rostra.gateway.server import serve
from rostra.gateway.settings import read_settings


class ThreadGateway:
    """A gateway in a thread of this process, on uvloop."""

    def __init__(self, run_dir: Path, **settings: Any) -> None:
        self._run_dir = run_dir
        self._settings = read_settings(json.dumps(settings))
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(listening.getsockname()[1])
        self._listening = listening
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(serve(self._listening, self._run_dir, self._settings, self._stop))
        except BaseException as why:
            self._failed = why

    def __enter__(self) -> ThreadGateway:
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the gateway does not end"
        if self._failed is not None:
            raise self._failed


class ProcessGateway:
    """``python -m rostra.gateway`` with an inherited socket, as the supervisor starts it."""

    def __init__(self, run_dir: Path, **settings: Any) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listening.getsockname()[1])
        command = [
            sys.executable,
            "-m",
            "rostra.gateway",
            "--fd",
            str(self._listening.fileno()),
            "--run-dir",
            str(run_dir),
        ]
        self._command = [*command, "--settings", json.dumps(settings)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, pass_fds=[self._listening.fileno()])

    def __enter__(self) -> ProcessGateway:
        return self

    def stop(self) -> None:
        self.process.terminate()

    def __exit__(self, *_: object) -> None:
        self.stop()
        try:
            self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()
            self._listening.close()

    @property
    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")
