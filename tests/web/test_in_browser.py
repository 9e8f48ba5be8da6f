"""The few lines of script, in a real browser: addresses behind a #, and pages that keep themselves up to date."""

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from support.web_services import SALES, SampleServices

from rostra.auth.principals import Principal
from rostra.web import pages
from rostra.web.views import Progress, Waiting

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
SWITCHES = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@dataclass
class StartingServices(SampleServices):
    """An item that is ready after it was asked about three times."""

    asked: int = 0
    problems: list[str] = field(default_factory=list)

    async def waiting(self, who: Principal | None, pool: str) -> Waiting:
        self.asked += 1
        state = Progress.ready if self.asked > 3 else Progress.starting
        return Waiting(state=state, phase=f"Step {self.asked}", lines=(f"line {self.asked}",), position=2)

    async def visit(self, request: Request) -> Response:
        if self.asked > 3:
            return HTMLResponse("<h1>The content itself</h1>")
        return pages.waiting(
            self.site, request, title="Sales", phase="Step 0", status_url=f"/__status__/{SALES}", lines=["line 0"]
        )


@pytest.fixture
def services() -> StartingServices:
    return StartingServices()


@pytest.fixture
def address(services: StartingServices) -> Iterator[str]:
    """A real server for the length of a test."""
    app: Starlette = services.app()
    app.routes.append(Route("/visit", services.visit))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield made
        made.close()


def _sign_in(page: Page) -> None:
    page.fill("#username", "ada")
    page.fill("#password", "correct horse")
    page.click('[data-automation="login-panel-submit"]')


@pytest.mark.parametrize(
    ("fragment", "ends"),
    [
        (f"#/apps/{SALES}", f"/connect/apps/{SALES}"),
        (f"#/apps/{SALES}/usage", f"/connect/apps/{SALES}/usage"),
        (f"#/apps/{SALES}/vars", f"/connect/apps/{SALES}/variables"),
        (f"#/apps/{SALES}/constructor", f"/connect/apps/{SALES}"),
        (f"#/apps/{SALES}/logs", f"/connect/apps/{SALES}/logs"),
        (f"#/apps/{SALES}/draft/43", f"/connect/apps/{SALES}/draft/43"),
        ("#/apps/../../evil", "/connect/#/apps/../../evil"),
        ("#/content", "/connect/#/content"),
    ],
)
def test_an_address_behind_the_hash_is_found(
    browser: Browser, address: str, services: StartingServices, fragment: str, ends: str
) -> None:
    services.live.add("s")
    context = browser.new_context()
    context.add_cookies([{"name": "rsconnect", "value": "s", "url": address}])
    page = context.new_page()
    page.goto(f"{address}/connect/{fragment}")
    page.wait_for_url(f"{address}{ends}", timeout=10_000)


def test_signing_in_first_keeps_the_address_behind_the_hash(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/connect/#/apps/{SALES}/logs")
    _sign_in(page)
    page.wait_for_url(f"{address}/connect/apps/{SALES}/logs", timeout=10_000)


def test_a_waiting_page_becomes_the_content(browser: Browser, address: str, services: StartingServices) -> None:
    page = browser.new_page()
    page.on("console", lambda message: services.problems.append(message.text))
    page.goto(f"{address}/visit")
    page.wait_for_selector("text=Step 1", timeout=10_000)
    assert "Number 2 in the queue" in page.inner_text("main")
    page.wait_for_selector("text=The content itself", timeout=20_000)
    assert not [text for text in services.problems if "Content Security Policy" in text]


def test_everything_works_without_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/connect/")
    _sign_in(page)
    page.wait_for_url(f"{address}/connect/", timeout=10_000)
    page.click("text=Regional sales")
    page.click("text=Logs")
    assert "loading 14 regions" in page.inner_text("pre")
    page.click("text=Sign out")
    page.wait_for_url(f"{address}/__login__", timeout=10_000)
