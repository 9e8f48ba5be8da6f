"""The dashboard in a real browser: with the keyboard, on a phone, without script, and a report while it is made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect
from support.direct import Direct, new_item
from support.gate import opened
from support.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("compat")]


def notebook(source: str) -> str:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# Weekly figures", "id": "a"},
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None, "id": "b"},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture(scope="module")
def application(server: Server) -> Direct:
    item = new_item(server, title="Sales by week")
    item.deploy()
    return item


@pytest.fixture(scope="module")
def report(server: Server) -> Direct:
    item = new_item(server, title="Weekly figures")
    files = {
        "report.ipynb": notebook("import os, time\ntime.sleep(float(os.environ.get('PAUSE', 4)))\nprint('rendered')"),
        "requirements.txt": "ipykernel\n",
    }
    item.deploy(files, metadata={"appmode": "jupyter-static", "entrypoint": "report.ipynb"})
    return item


@pytest.fixture
def phone(browser: Browser, server: Server, signed_in: StorageState) -> Iterator[Page]:
    """A narrow window without script, in which the owner is signed in."""
    with browser.new_context(
        base_url=server.url,
        storage_state=signed_in,
        viewport={"width": 390, "height": 780},
        java_script_enabled=False,
        color_scheme="dark",
    ) as context:
        opened = context.new_page()
        opened.set_default_timeout(60_000)
        yield opened


def test_access_is_given_with_the_keyboard_alone(server: Server, page: Page, application: Direct) -> None:
    person = {"username": "linus", "user_role": "viewer", "password": "correct horse"}
    assert server.get("/__api__/v1/users", method="POST", body=json.dumps(person).encode()).status in (201, 409)
    page.goto(f"/connect/apps/{application.guid}/access")
    page.locator("#name").focus()
    page.keyboard.type("linus")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Access was given.")
    expect(page.get_by_role("cell", name="linus", exact=True)).to_be_visible()
    page.get_by_role("button", name="Take away from linus").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Access was taken away.")


def test_only_what_a_kind_of_schedule_has_is_asked_for(page: Page, report: Direct) -> None:
    page.goto(f"/connect/apps/{report.guid}/schedule")
    every, days, week = page.get_by_label("Every how many"), page.locator(".for-days"), page.locator("#week")
    expect(every).to_be_visible()
    expect(days).to_be_hidden()
    page.get_by_text("Days of the week").click()
    expect(every).to_be_hidden()
    expect(days).to_be_visible()
    page.get_by_text("Months, by weekday").click()
    expect(week).to_be_visible()
    expect(days).to_be_hidden()
    page.locator("#week").select_option("last")
    page.locator("#timezone").select_option("Europe/Zurich")
    page.locator("#start").fill("2026-12-07T07:30")
    page.get_by_role("button", name="Set the schedule").click()
    expect(page.get_by_text("Every month on the last Monday at 07:30, Europe/Zurich")).to_be_visible()


def test_a_notebook_is_waited_for_where_it_will_be(server: Server, page: Page) -> None:
    with opened() as gate:
        gate.says = "wait"
        item = new_item(server, title="Harvest")
        waits = (
            "import time, urllib.request\n"
            f"while urllib.request.urlopen({gate.url!r}).read().strip() != b'go':\n    time.sleep(0.1)\n"
            "print('all is in')"
        )
        files = {"report.ipynb": notebook(waits), "requirements.txt": "ipykernel\n"}
        metadata = {"appmode": "jupyter-static", "entrypoint": "report.ipynb"}
        task = item.start_deploy(item.upload(files, metadata=metadata))
        page.goto(item.path)
        expect(page.get_by_text("Being made")).to_be_visible()
        expect(page.get_by_text("cell 1 of 1")).to_be_visible(timeout=60_000)
        assert not server.ask(f"/__api__/v1/tasks/{task}")["finished"]
        gate.says = "go"
        expect(page.get_by_role("heading", name="Weekly figures")).to_be_visible(timeout=60_000)  # by itself
        expect(page.get_by_text("all is in", exact=True)).to_be_visible()
        assert server.wait_for(task)["code"] == 0


def test_a_report_says_that_a_newer_one_is_being_made(server: Server, page: Page, report: Direct) -> None:
    page.goto(f"/connect/apps/{report.guid}/schedule")
    page.get_by_role("button", name="Render now").click()
    page.wait_for_url("**/connect/tasks/**")
    opened = page.context.new_page()
    opened.goto(f"/content/{report.guid}/")
    expect(opened.get_by_role("heading", name="Weekly figures")).to_be_visible()
    expect(opened.locator("body > div[role=status]")).to_be_visible()
    expect(page.get_by_text("done", exact=True)).to_be_visible(timeout=60_000)
    opened.reload()
    expect(opened.locator("body > div[role=status]")).to_have_count(0)


@pytest.mark.parametrize("where", ["task", "content", "log"])
def test_a_render_is_stopped_and_the_last_one_stays(server: Server, page: Page, report: Direct, where: str) -> None:
    variables = f"/__api__/v1/content/{report.guid}/environment"
    server.ask(variables, "PATCH", [{"name": "PAUSE", "value": "600"}])
    try:
        page.goto(f"/connect/apps/{report.guid}")
        page.get_by_role("button", name="Render now").click()
        page.wait_for_url("**/connect/tasks/**")
        expect(page.get_by_text(re.compile(r"cell \d of"))).to_be_visible(timeout=60_000)
        expect(page.get_by_role("heading", name="Render", exact=True)).to_be_visible()
        if where != "task":
            page.goto(f"/connect/apps/{report.guid}")
            expect(page.get_by_text("It is being rendered")).to_be_visible()
        if where == "log":
            page.get_by_role("link", name="Log", exact=True).first.click()
            page.wait_for_url("**/logs?job=*")
        page.get_by_role("button", name="Stop", exact=True).click()
        if where == "task":  # that page is made anew when the task has ended, with or without the short word
            expect(page.get_by_role("alert")).to_contain_text("It was stopped by", timeout=60_000)
        else:
            expect(page.get_by_role("status")).to_have_text("Stopped.", timeout=60_000)
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
        page.goto(f"/connect/apps/{report.guid}")
        expect(page.get_by_text("It is being rendered")).to_have_count(0)
        expect(page.get_by_text("failed").first).to_be_visible()
        page.goto(f"/content/{report.guid}/")
        expect(page.get_by_role("heading", name="Weekly figures")).to_be_visible()
    finally:
        server.ask(variables, "PATCH", [{"name": "PAUSE", "value": None}])


def test_a_password_is_changed_by_whose_it_is(server: Server, browser: Browser) -> None:
    person = {"username": "hedy", "user_role": "viewer", "password": "correct horse"}
    assert server.get("/__api__/v1/users", method="POST", body=json.dumps(person).encode()).status in (201, 409)
    with browser.new_context(base_url=server.url) as context:
        page = context.new_page()
        sign_in(page, "hedy", "correct horse")
        page.get_by_role("link", name="hedy").click()
        for label, text in (("Present password", "correct horse"), ("New password", "battery staple")):
            page.get_by_label(label).fill(text)
        page.get_by_label("Once more").fill("battery staple")
        page.get_by_role("button", name="Change the password").click()
        expect(page.get_by_role("status")).to_contain_text("The password is changed.")
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, "hedy", "battery staple")
        expect(page.get_by_role("heading", name="Content")).to_be_visible()


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/connect/")
    page.locator("#username").fill(name)
    page.locator("#password").fill(password)
    page.locator("[data-automation=login-panel-submit]").click()
    page.wait_for_url("**/connect/**")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "?show=all",
            "runtimes",
            "runtimes/environments",
            "people/{me}",
            "people",
            "groups",
            "server",
            "server/settings",
            "server/queue",
            "audit",
            "tags",
        ),
        *("keys", "apps/{app}", "apps/{app}/access", "apps/{app}/variables", "apps/{app}/settings", "apps/{app}/usage"),
        *("apps/{app}/logs", "apps/{report}", "apps/{report}/schedule"),
    ],
)
def test_every_page_fits_a_phone_and_needs_no_script(
    server: Server, phone: Page, application: Direct, report: Direct, path: str
) -> None:
    refused: list[str] = []
    phone.on("console", lambda message: refused.append(message.text))
    me = server.ask("/__api__/v1/user")["guid"] if "{me}" in path else ""
    answer = phone.goto("/connect/" + path.format(app=application.guid, report=report.guid, me=me))
    assert answer is not None
    assert answer.status == 200
    expect(phone.get_by_role("heading", level=1)).to_be_visible()
    box = phone.locator("html").bounding_box()
    assert box is not None
    assert box["width"] <= 390
    for wide in ("main", ".card", "table", "form"):
        for each in phone.locator(wide).all():
            place = each.bounding_box()
            assert place is None or place["x"] + place["width"] <= 391, f"{wide} is wider than the window"
    assert not refused
