"""What somebody sees of an R report while it is made, made again, and when it cannot be made; real R, real browser."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import sign_in_link
from playwright.sync_api import Browser, Page, expect
from support import interpreters
from support.bundles import bundle
from support.direct import Direct, new_item
from support.gate import Gate, opened
from support.r_world import lacking, redeploy, rmd
from support.server import Server, running_server

WHY = lacking("rmarkdown")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.r,
    pytest.mark.xdist_group("r-reports"),
    pytest.mark.skipif(bool(WHY), reason=WHY or "R is there"),
]


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with opened() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = interpreters.minor("3.11")
    if python is None:
        pytest.skip("no Python 3.11 on this machine")
    with running_server(tmp_path_factory.mktemp("rb"), [Path(python)], "[R]\nEnabled = true\n") as running:
        yield running


@pytest.fixture(scope="module")
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with browser.new_context(base_url=server.url, viewport={"width": 1100, "height": 760}) as context:
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        opened.goto(sign_in_link(server))
        opened.get_by_role("button").first.click()
        opened.wait_for_url("**/connect/**")
        yield opened


def waiting(gate: Gate, word: str) -> str:
    return f'```{{r}}\nwhile (readLines("{gate.url}") != "go") Sys.sleep(0.1)\n```\n\n{word} `r params$n`'


def picture(page: Page, name: str) -> None:
    """Keep what is seen, for people who look at it, when they say where."""
    if folder := os.environ.get("ROSTRA_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")


def begun(item: Direct, files: dict[str, str | bytes]) -> str:
    metadata = {"appmode": "rmd-static", "primary_rmd": "report.Rmd"}
    packed = bundle(files, platform="4.2.2", metadata=metadata, packages={})
    sent = json.loads(item.server.get(f"{item.api}/bundles", method="POST", body=packed).text)
    return item.start_deploy(int(sent["id"]))


def test_a_report_is_waited_for_refreshed_and_rendered_with_values(server: Server, page: Page, gate: Gate) -> None:
    item = new_item(server, title="Harvest")
    gate.says = "wait"
    task = begun(item, rmd(waiting(gate, "Number"), "params:\n  n: {label: How many, value: 7}\n"))
    page.goto(item.path)
    expect(page.get_by_text("processing file: report.Rmd")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Being made")).to_be_visible()
    picture(page, "waiting")
    gate.says = "go"
    expect(page.get_by_text("Number 7")).to_be_visible(timeout=60_000)  # the page comes by itself
    assert server.wait_for(task)["code"] == 0
    picture(page, "made")

    gate.says = "wait"
    task = server.ask(f"{item.api}/render", "POST", {})["task_id"]
    page.goto(item.path)
    expect(page.get_by_text("Number 7")).to_be_visible()
    expect(page.get_by_role("status")).to_be_visible()
    picture(page, "refreshed")
    gate.says = "go"
    assert server.wait_for(task)["code"] == 0

    page.goto(f"/connect/apps/{item.guid}/run")
    page.get_by_label("How many").fill("12")
    picture(page, "values")
    page.get_by_role("button", name="Render").click()
    expect(page.get_by_text("It is being rendered for you.")).to_be_visible()
    picture(page, "asked")
    page.locator("table").get_by_role("link", name="Open").click()
    expect(page.get_by_text("Number 12")).to_be_visible(timeout=60_000)


def test_a_report_that_fails_says_where(server: Server, page: Page) -> None:
    item = new_item(server, title="Broken harvest")
    redeploy(item, rmd("Text.\n\n```{r harvest}\nstop('no such harvest')\n```"), good=False)
    page.goto(item.path)
    expect(page.get_by_text("no such harvest")).to_be_visible()
    expect(page.get_by_text("report.Rmd, lines")).to_be_visible()
    picture(page, "failed")
    page.get_by_role("link", name="Open the log").click()
    expect(page.get_by_text("Quitting from lines", exact=False).first).to_be_visible()
    picture(page, "log")
