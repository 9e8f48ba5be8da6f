"""Signing in as people and as existing automation does, and being brought back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compat.conftest import Publisher, app
from playwright.sync_api import Browser, Page, expect
from support.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("compat")]

HELLO = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef hello():\n    return 'hello you'\n"


def test_a_visitor_is_asked_to_sign_in_and_brought_back(
    publisher: Publisher, server: Server, browser: Browser, tmp_path: Path
) -> None:
    body = json.dumps(
        {"username": "grace", "password": "correct horse", "email": "grace@example.org", "user_role": "viewer"}
    )
    assert server.get("/__api__/v1/users", method="POST", body=body.encode()).status in (200, 201, 409)
    published = publisher.deploy(app(tmp_path / "a", HELLO), "flask", ".")
    access = json.dumps({"access_type": "logged_in"}).encode()
    assert server.get(f"/__api__/v1/content/{published.guid}", method="PATCH", body=access).status == 200
    context = browser.new_context(base_url=server.url)
    page = context.new_page()
    page.goto(published.path)
    page.locator("#username").fill("grace")
    page.locator("#password").fill("correct horse")
    page.locator("[data-automation=login-panel-submit]").click()
    page.wait_for_url(f"**{published.path}")
    expect(page.get_by_text("hello you")).to_be_visible()
    assert all(cookie["httpOnly"] for cookie in context.cookies() if cookie["name"] == "rsconnect")
    context.close()


def test_the_dashboards_old_addresses_lead_to_its_pages(publisher: Publisher, page: Page, tmp_path: Path) -> None:
    published = publisher.deploy(app(tmp_path / "a", HELLO), "flask", "--title", "Findable", ".")
    draft = publisher.deploy(tmp_path / "a", "flask", "--draft", ".")
    number = publisher.bundles(draft.guid)[0]["id"]
    draft_page = f"/draft/{number}"
    for after, leads_to in (("", ""), ("/access", "/access"), ("/logs", "/logs*"), (draft_page, f"{draft_page}*")):
        page.goto("about:blank")  # else only the part behind the # changes, and nothing is loaded
        page.goto(f"/connect/#/apps/{published.guid}{after}")
        page.wait_for_url(f"**/connect/apps/{published.guid}{leads_to}")
        expect(page.get_by_text("Findable").first).to_be_visible()


def test_a_slow_start_shows_a_waiting_page_that_becomes_the_content(
    publisher: Publisher, page: Page, server: Server, tmp_path: Path
) -> None:
    source = "import os, time\ntime.sleep(4)\n" + HELLO
    published = publisher.deploy(app(tmp_path / "a", source), "flask", ".")
    body = json.dumps([{"name": "RESTART", "value": "1"}]).encode()
    assert server.get(f"/__api__/v1/content/{published.guid}/environment", method="PATCH", body=body).status == 200
    answer = page.goto(published.path)
    assert answer is not None
    assert answer.status == 503
    assert answer.headers["retry-after"]
    expect(page.get_by_text("hello you")).to_be_visible(timeout=60_000)
