"""Headless Chromium, signed in through the one-time link, beside the compat tier's server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from compat.conftest import MINORS, Publisher, minors, publisher, server  # noqa: F401
from playwright.sync_api import Browser, Page, StorageState, sync_playwright
from support.server import BIN, Server

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for the length of a module and no longer.

    While Playwright's blocking interface is open its event loop counts as running in this thread, so every test that
    makes a loop of its own would fail beside it: it must be closed before the process goes on to another module.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, server: Server) -> StorageState:  # noqa: F811
    """What a browser remembers once the owner of everything published here has used the one-time link."""
    with browser.new_context(base_url=server.url) as context:
        opened = context.new_page()
        opened.goto(sign_in_link(server))
        opened.get_by_role("button").first.click()
        opened.wait_for_url("**/connect/**")
        return context.storage_state()


@pytest.fixture
def page(browser: Browser, server: Server, signed_in: StorageState) -> Iterator[Page]:  # noqa: F811
    """A browser window in which the owner is signed in."""
    with browser.new_context(base_url=server.url, storage_state=signed_in) as context:
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        yield opened


def sign_in_link(server: Server) -> str:  # noqa: F811
    words = [BIN / "rostra", "users", "sign-in-link", "--config", server.config]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=server.environ).stdout.strip()
