"""A server whose public address has a path: the API, content, pages and every address it writes are below it."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode

import pytest
from compat.conftest import Publisher, app
from support import interpreters, speaking
from support.publishing import told
from support.server import Server, running_server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("prefix")]

PREFIX = "/rsc"
ENVIRONMENT = """
import os
from flask import Flask, request
app = Flask(__name__)
@app.get("/")
def index():
    return {"server": os.environ["CONNECT_SERVER"], "base": request.headers["RStudio-Connect-App-Base-URL"],
            "request": request.headers["X-RSC-Request"], "url": request.url}
"""


@pytest.fixture(scope="module")
def prefixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    with running_server(tmp_path_factory.mktemp("prefixed"), [python], prefix=PREFIX) as started:
        yield started


@pytest.fixture
def publisher(prefixed: Server, tmp_path: Path) -> Publisher:
    return Publisher(prefixed, tmp_path)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    fields: Message
    text: str


def raw(server: Server, method: str, path: str, body: str = "", **headers: str) -> Answer:
    """Ask below the host, not below the prefix, and follow nothing."""
    sent = {"Authorization": f"Key {server.key}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, body or None, {name: value for name, value in sent.items() if value})
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())


def test_the_client_accepts_the_address_and_addresses_come_back_with_it(publisher: Publisher) -> None:
    published = publisher.sample("flask")
    item = publisher.item(published.guid)
    assert item["content_url"] == f"{publisher.server.url}/content/{published.guid}/"
    assert item["dashboard_url"] == f"{publisher.server.url}/connect/#/apps/{published.guid}"
    assert item["content_url"] in published.output
    assert f"live at {item['content_url']}" in published.output


def test_a_server_address_may_end_with_a_slash(prefixed: Server) -> None:
    told = prefixed.client("details", "-s", prefixed.url + "/", "-k", prefixed.key).stdout
    assert "3.1" in told


@pytest.mark.parametrize("name", ["flask", "fastapi", "dash", "streamlit", "bokeh", "gradio", "shiny"])
def test_each_kind_of_framework_lives_below_it(publisher: Publisher, name: str) -> None:
    published = publisher.sample(name)
    assert speaking.version(publisher.server, name, published.path)


def test_links_forms_and_redirects_of_content_stay_below_it(publisher: Publisher) -> None:
    published = publisher.sample("flask")
    below = PREFIX + published.path
    page = publisher.server.get(published.path).text
    assert f'href="{below}static/desk.css"' in page
    assert f'action="{below}convert"' in page
    form = urlencode({"unit": "km-mi", "value": "3"})
    kind = "application/x-www-form-urlencoded"
    answer = raw(publisher.server, "POST", below + "convert", form, Content_Type=kind)
    assert answer.status == 302
    assert answer.fields["Location"].startswith(below)
    assert f"Path={below}" in answer.fields["Set-Cookie"]


def test_assets_of_a_framework_are_asked_for_below_it(publisher: Publisher) -> None:
    published = publisher.sample("dash")
    config = json.loads(
        publisher.server.get(published.path).text.split('id="_dash-config"')[1].split(">")[1].split("<")[0]
    )
    assert config["requests_pathname_prefix"] == PREFIX + published.path


def test_content_is_told_its_public_addresses(publisher: Publisher, tmp_path: Path) -> None:
    published = publisher.deploy(app(tmp_path / "a", ENVIRONMENT), "flask", ".")
    said = json.loads(publisher.server.get(published.path).text)
    url = f"{publisher.server.url}{published.path}"
    assert said == {"server": publisher.server.url + "/", "base": url.rstrip("/"), "request": url, "url": url}


def test_the_missing_slash_is_put_below_it(publisher: Publisher) -> None:
    for name in ("flask", "html"):
        published = publisher.sample(name)
        answer = raw(publisher.server, "GET", PREFIX + published.path.rstrip("/"))
        assert 300 <= answer.status < 400
        assert answer.fields["Location"] == PREFIX + published.path


def test_drafts_live_below_it_too(publisher: Publisher) -> None:
    work = publisher.copy("flask")
    published = publisher.deploy(work, *told("flask")["deploy"], "--draft")
    bundle = publisher.bundles(published.guid)[0]["id"]
    page = publisher.server.get(f"{published.path}_bundle{bundle}/")
    assert f'href="{PREFIX}{published.path}_bundle{bundle}/static/desk.css"' in page.text


def test_signing_in_and_the_dashboard_stay_below_it(publisher: Publisher) -> None:
    published = publisher.sample("flask")
    page = raw(publisher.server, "GET", PREFIX + published.path, Authorization="", Accept="text/html")
    assert page.status in (302, 303, 307, 401)
    assert PREFIX + "/__login__" in page.text + str(page.fields["Location"])
    dashboard = raw(publisher.server, "GET", f"{PREFIX}/connect/", Authorization="", Accept="text/html")
    assert dashboard.fields["Location"].startswith(f"{PREFIX}/__login__")


def test_a_proxy_that_takes_the_prefix_away_is_understood(publisher: Publisher) -> None:
    published = publisher.sample("flask")
    answer = raw(publisher.server, "GET", published.path)
    assert answer.status == 200
    assert f'href="{PREFIX}{published.path}static/desk.css"' in answer.text
    assert raw(publisher.server, "GET", "/__api__/v1/user").status == 200
