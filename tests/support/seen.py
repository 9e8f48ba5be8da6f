"""What a visitor sees of content that has no server before it: a browser on the content's own socket."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from support.content_process import HOST, Content

_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
          "--disable-sync", "--no-first-run", "--no-proxy-server"]  # fmt: skip
_MILLISECONDS = 30_000


def shows(content: Content, text: str, clicks: Sequence[str]) -> bool:
    """Open the content in Chromium, press its buttons, and return whether it shows ``text``."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "this needs Chromium"
    with _bridge(content.socket) as port, sync_playwright() as playwright:
        switches = [*_QUIET, f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{port}"]
        browser = playwright.chromium.launch(executable_path=chromium, args=switches)
        try:
            page = browser.new_page()
            page.set_default_timeout(_MILLISECONDS)
            page.goto(content.url)
            for name in clicks:
                page.get_by_role("button", name=name).click()
            page.get_by_text(text, exact=True).first.wait_for()
        except Error:
            return False
        finally:
            browser.close()
        return True


@contextlib.contextmanager
def _bridge(path: Path) -> Iterator[int]:
    """Carry bytes between a port on loopback and a unix socket."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, path), daemon=True).start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket, path: Path) -> None:
    with contextlib.suppress(OSError):
        while True:
            outside, _ = listening.accept()
            inside = socket.socket(socket.AF_UNIX)
            inside.connect(str(path))
            for one, other in ((outside, inside), (inside, outside)):
                threading.Thread(target=_carry, args=(one, other), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
