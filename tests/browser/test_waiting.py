"""What somebody sees in a browser while the packages of what they opened are installed again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support import interpreters
from support.direct import Background, Direct, new_item
from support.server import Server, running_server
from support.watching import until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("waiting")]

PATIENT = 240_000  # thousandths of a second: a busy machine builds slowly
ONE_AT_A_TIME = "BuildConcurrency = 1\n[Applications]\nBuildPatience = 1s\n"  # the first is one of [Python]
# Built from source each time, and that takes a while, as of a package that has something to compile.
SETUP = """
import sys, time
from setuptools import setup
for step in range(1, 5):
    print("compiling part", step, "of 4", file=sys.stderr, flush=True)
    time.sleep(1)
setup(name="slow-{name}", version="1", py_modules=["slow_{name}"])
"""
APP = """
import slow_{name}

async def app(scope, receive, send):
    assert scope["type"] == "http"
    page = b"<!doctype html><title>Sales</title><h1>Sales of {name}</h1>"
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}})
    await send({{"type": "http.response.body", "body": page}})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("w"), [Path(python)], ONE_AT_A_TIME) as started:
        yield started


def missing(server: Server) -> list[Direct]:
    """Return three items whose environments are gone."""
    items = []
    for name in ("north", "west", "south"):
        items.append(new_item(server, title=f"Sales {name}"))
        files = {"part/setup.py": SETUP.format(name=name), f"part/slow_{name}.py": "", "requirements.txt": "./part\n"}
        items[-1].deploy({**files, "app.py": APP.format(name=name)})
    body = {"language": "Python", "version": server.ask(items[0].api)["py_version"], "image_name": "Local"}
    task = server.ask("/__api__/v1/system/caches/runtime", "DELETE", body)["task_id"]
    assert server.wait_for(task)["code"] == 0
    return items


def test_the_waiting_page_follows_a_rebuild_and_becomes_the_content(page: Page, server: Server) -> None:
    first, second, third = missing(server)
    others = []
    for item in (first, second):
        others.append(Background(item))
        until(lambda item=item: '"starting"' in server.get(f"/__status__/{item.guid}").text, 30, "it has begun")
    answer = page.goto(third.path)
    assert answer is not None
    assert answer.status == 503
    page.evaluate("window.opened = true")
    in_line(page)
    installing(page)
    expect(page.get_by_role("heading", name="Sales of south")).to_be_visible(timeout=PATIENT)
    assert page.url.endswith(third.path), "the same address"
    assert page.evaluate("window.opened") is None, "and now it was loaded again"
    for visit in others:
        visit.join(60)


def in_line(page: Page) -> None:
    """First there are two before us, then one."""
    expect(page.get_by_text("Sales south")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("Waiting for other installations")).to_be_visible()
    expect(page.get_by_text("Number 2 in the queue.")).to_be_visible(timeout=PATIENT)
    expect(page.get_by_text("Number 1 in the queue.")).to_be_visible(timeout=PATIENT)
    assert page.evaluate("window.opened"), "it was not loaded again"


def installing(page: Page) -> None:
    """Then it is our turn, and what the installer says is shown as it says it."""
    expect(page.get_by_text("Installing its packages")).to_be_visible(timeout=PATIENT)
    expect(page.get_by_text("in the queue.")).to_be_hidden()
    log = page.get_by_label("Progress")
    expect(log).to_contain_text("Building environment", timeout=PATIENT)
    before = log.inner_text()
    expect(log).not_to_have_text(before, timeout=PATIENT)
    assert log.inner_text().startswith(before.split("\n")[0])
    assert page.evaluate("window.opened"), "it was not loaded again"


def test_without_script_it_comes_back_by_itself(browser: Browser, server: Server) -> None:
    item = missing(server)[0]
    with browser.new_context(base_url=server.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(item.path)
        expect(page.get_by_text("Installing its packages")).to_be_visible(timeout=PATIENT)
        assert "Building environment" not in page.content(), "what an installer says is for those who may edit"
        expect(page.get_by_role("heading", name="Sales of north")).to_be_visible(timeout=PATIENT)
