"""Headless Chromium, signed in through the one-time link, beside the compat tier's server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from compat.conftest import MINORS, Publisher, minors, publisher, server  # noqa: F401
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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:  # noqa: F811
    """A browser window in which the owner of everything published here is signed in."""
    context = browser.new_context(base_url=server.url)
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.goto(sign_in_link(server))
    opened.get_by_role("button").first.click()
    opened.wait_for_url("**/connect/**")
    yield opened
    context.close()


def sign_in_link(server: Server) -> str:  # noqa: F811
    words = [BIN / "rostra", "users", "sign-in-link", "--config", server.config]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=server.environ).stdout.strip()

