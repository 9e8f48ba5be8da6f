"""Each framework's sample, opened in a browser: a widget is used and the answer changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from compat.conftest import ROOT, Publisher

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("compat")]


def slide(handle: Locator, times: int = 5) -> None:
    handle.focus()
    for _ in range(times):
        handle.press("ArrowRight")


def use_dash(page: Page) -> tuple[Locator, Callable[[], None]]:
    def act() -> None:
        page.locator("#product").click()
        page.get_by_text("Ice cream", exact=True).first.click()

    return page.locator("#answer"), act


def use_streamlit(page: Page) -> tuple[Locator, Callable[[], None]]:
    return page.get_by_test_id("stMetricValue"), lambda: slide(page.get_by_role("slider").last)


def use_shiny(page: Page) -> tuple[Locator, Callable[[], None]]:
    return page.locator("#answer"), lambda: slide(page.locator(".irs-line").first.locator("xpath=.."), 3)


def use_express(page: Page) -> tuple[Locator, Callable[[], None]]:
    return page.locator("#answer"), lambda: page.locator("#again").click()


def use_gradio(page: Page) -> tuple[Locator, Callable[[], None]]:
    def act() -> None:
        page.get_by_label("Text", exact=True).fill("We sat. We ate. It was good.")
        page.get_by_role("button", name="Judge").click()

    return page.get_by_label("Verdict"), act


def use_panel(page: Page) -> tuple[Locator, Callable[[], None]]:
    return page.get_by_text(re.compile("a month")), lambda: slide(page.locator(".noUi-handle").first)


def use_bokeh(page: Page) -> tuple[Locator, Callable[[], None]]:
    return page.get_by_text(re.compile("Averaging")), lambda: slide(page.locator(".noUi-handle").first)


def use_voila(page: Page) -> tuple[Locator, Callable[[], None]]:
    return page.get_by_text(re.compile("is left after")), lambda: slide(page.locator(".noUi-handle").first)


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


def shown(place: Locator) -> str:
    return place.input_value() if place.evaluate("e => 'value' in e") else place.inner_text()


@pytest.mark.parametrize("name", sorted(USES))
def test_a_widget_changes_the_answer(publisher: Publisher, page: Page, name: str) -> None:
    failures: list[str] = []
    page.on("requestfailed", lambda request: failures.append(f"{request.url}: {request.failure}"))
    page.on("response", lambda answer: failures.append(f"{answer.url}: {answer.status}") if answer.status >= 400 else None)
    published = publisher.sample(name, "3.11")
    page.goto(published.path)
    place, act = USES[name](page)
    expect(place).to_be_visible(timeout=90_000)
    page.wait_for_timeout(500)  # the first answer is still being drawn in some frameworks
    before = shown(place)
    act()
    if place.evaluate("e => 'value' in e"):
        expect(place).not_to_have_value(before, timeout=30_000)
    else:
        expect(place).not_to_have_text(before, timeout=30_000)
    ours = [line for line in failures if page.url.split("/content")[0] in line and "favicon" not in line]
    assert not ours, ours


def test_the_flask_form_redirects_and_remembers(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("flask", "3.11")
    page.goto(published.path)
    page.locator("[name=value]").fill("10")
    page.get_by_role("button").first.click()
    expect(page.get_by_text(re.compile("10 kilometres = 6.21 miles"))).to_be_visible()
    assert published.path in page.url


def test_the_fastapi_documentation_page_finds_its_schema(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("fastapi", "3.13")
    answer = page.request.get(f"{published.path}openapi.json")
    assert "/stations" in answer.json()["paths"]
    assert published.path.rstrip("/") in json.dumps(answer.json().get("servers", []))


def test_a_rendered_notebook_shows_its_answer(publisher: Publisher, page: Page) -> None:
    published = publisher.sample("notebook", "3.13")
    page.goto(published.path)
    told = json.loads((ROOT / "samples" / "notebook" / "sample.json").read_text())
    expected = told["expect"].split("{version}")[0]
    expect(page.get_by_text(re.compile(re.escape(expected) + r"3\.13"))).to_be_visible()

