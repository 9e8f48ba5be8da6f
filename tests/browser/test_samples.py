"""Each framework's sample on each Python, opened in a browser: a widget is used and the answer changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from compat.conftest import MINORS, Publisher
from playwright.sync_api import Locator, Page, Request, Response, WebSocket, expect
from support.publishing import told

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("compat")]


@dataclass  # without slots: Playwright keeps things of its own on whoever it calls
class Traffic:
    """What a page asked for at our address that did not work, and which WebSockets were heard."""

    origin: str
    failed: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    heard: int = 0

    def watch(self, page: Page) -> None:
        page.on("response", self._answered)
        page.on("requestfailed", self._failed)
        page.on("websocket", self._socket)

    def _answered(self, answer: Response) -> None:
        # Browsers ask for the icon of the host, which is not the content's; a visitor who wakes content is shown a
        # page that asks for patience.
        patience = answer.status == 503 and answer.request.is_navigation_request() and "retry-after" in answer.headers
        expected = patience or answer.url.endswith("/favicon.ico")
        if self._is_ours(answer.url) and answer.status >= 400 and not expected:
            self.failed.append(f"{answer.status} {answer.url}")

    def _failed(self, request: Request) -> None:
        # What the page itself gives up on, because it moves on, is no failure of the server.
        if self._is_ours(request.url) and request.failure != "net::ERR_ABORTED":
            self.failed.append(f"{request.failure} {request.url}")

    def _socket(self, socket: WebSocket) -> None:
        self.sockets.append(socket.url)
        socket.on("framereceived", self._frame)
        socket.on("socketerror", lambda error: self.failed.append(f"socket: {error} {socket.url}"))

    def _frame(self, _: object) -> None:
        self.heard += 1

    def _is_ours(self, url: str) -> bool:
        return url.startswith(self.origin)


def slide(handle: Locator, times: int = 5) -> None:
    handle.focus()
    for _ in range(times):
        handle.press("ArrowRight")


Use = tuple[Locator, Callable[[], None]]


def use_dash(page: Page) -> Use:
    def act() -> None:
        page.locator("#product").click()
        page.get_by_text("Ice cream", exact=True).first.click()

    return page.locator("#answer"), act


def use_streamlit(page: Page) -> Use:
    return page.get_by_test_id("stMetricValue"), lambda: slide(page.get_by_role("slider").last)


def use_shiny(page: Page) -> Use:
    def act() -> None:
        line = page.locator(".irs-line").first
        box = line.bounding_box()
        assert box is not None
        line.click(position={"x": box["width"] - 10, "y": box["height"] / 2})

    return page.locator("#answer"), act


def use_express(page: Page) -> Use:
    return page.locator("#answer"), lambda: page.locator("#again").click()


def use_gradio(page: Page) -> Use:
    def act() -> None:
        page.get_by_label("Text", exact=True).fill("We sat. We ate. It was good.")
        page.get_by_role("button", name="Judge").click()

    return page.get_by_label("Verdict"), act


def use_panel(page: Page) -> Use:
    return page.get_by_text(re.compile("a month")), lambda: slide(page.locator(".noUi-handle").first)


def use_bokeh(page: Page) -> Use:
    return page.get_by_text(re.compile("Averaging")), lambda: slide(page.locator(".noUi-handle").first)


def use_voila(page: Page) -> Use:
    return page.get_by_text(re.compile("% is left after")), lambda: slide(page.locator(".noUi-handle").first)


USES = {
    "dash": use_dash,
    "streamlit": use_streamlit,
    "shiny": use_shiny,
    "shiny-express": use_express,
    "gradio": use_gradio,
    "panel": use_panel,
    "bokeh": use_bokeh,
    "voila": use_voila,
}
WITHOUT_SOCKETS = {"dash", "gradio"}


def shown(place: Locator) -> str:
    return place.input_value() if is_field(place) else place.inner_text()


def is_field(place: Locator) -> bool:
    return bool(place.evaluate("e => 'value' in e"))


@pytest.mark.parametrize("name", sorted(USES))
@pytest.mark.parametrize("minor", MINORS)
def test_a_widget_changes_the_answer(
    publisher: Publisher, page: Page, minors: list[str], name: str, minor: str
) -> None:
    if minor not in minors:
        pytest.skip(f"no Python {minor} on this machine")
    traffic = Traffic(publisher.server.origin)
    traffic.watch(page)
    published = publisher.sample(name, minor)
    page.goto(published.path)
    place, act = USES[name](page)
    expect(place).to_be_visible(timeout=90_000)
    expect(page.get_by_text(re.compile(re.escape(f"on Python {minor}.")))).to_be_visible()
    page.wait_for_timeout(500)  # the first answer is still being drawn in some frameworks
    before = shown(place)
    act()
    if is_field(place):
        expect(place).not_to_have_value(before, timeout=30_000)
    else:
        expect(place).not_to_have_text(before, timeout=30_000)
    assert not traffic.failed
    if name not in WITHOUT_SOCKETS:
        assert traffic.heard > 1, traffic.sockets


def test_the_flask_form_redirects_and_remembers(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("flask", "3.11")
    page.goto(published.path)
    page.locator("[name=unit]").select_option("kg-lb")
    page.locator("[name=value]").fill("10")
    page.get_by_role("button").first.click()
    expect(page.get_by_text(re.compile("10 kilograms = 22.05 pounds"))).to_be_visible()
    assert published.path in page.url
    page.goto(published.path)
    expect(page.locator("[name=unit]")).to_have_value("kg-lb")


def test_the_fastapi_page_talks_over_its_own_socket(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("fastapi", "3.13")
    traffic = Traffic(publisher.server.origin)
    traffic.watch(page)
    page.goto(published.path)
    expect(page.get_by_text(re.compile(r"on Python 3\.13\."))).to_be_visible()
    for number in ("10", "20"):
        page.get_by_role("spinbutton").fill(number)
        page.get_by_role("button").click()
    expect(page.get_by_text("Mean of 2: 15")).to_be_visible()
    assert not traffic.failed


def test_the_fastapi_documentation_page_finds_its_schema(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("fastapi", "3.13")
    answer = page.request.get(f"{published.path}openapi.json")
    assert "/stations" in answer.json()["paths"]
    assert published.path.rstrip("/") in json.dumps(answer.json().get("servers", []))


def test_a_rendered_notebook_shows_its_answer(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("notebook", "3.13")
    page.goto(published.path)
    expected = told("notebook")["expect"].split("{version}")[0]
    expect(page.get_by_text(re.compile(re.escape(expected) + r"3\.13"))).to_be_visible()


def test_static_files_find_each_other(publisher: Publisher, page: Page) -> None:
    traffic = Traffic(publisher.server.origin)
    traffic.watch(page)
    page.goto(publisher.sample("html").path)
    page.locator("#what").select_option("fixed")
    expect(page.locator("#answer")).to_have_text("2 changes")
    assert not traffic.failed
