"""Flask, FastAPI and Dash, really served under a base path on several Pythons."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from support import content_process
from support.content_links import assert_assets_load
from support.content_process import Content
from websockets.sync.client import unix_connect

pytestmark = pytest.mark.interpreters
Serve = Callable[..., AbstractContextManager[Content]]
BUNDLES = Path(__file__).parent / "bundles"
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.mark.parametrize("minor", ["3.8", "3.9", "3.11", "3.13"])
def test_flask(sample: Serve, minor: str) -> None:
    with sample("flask", minor) as content:
        page = content.get()
        assert f"Flask on Python {minor}." in page.text
        assert_assets_load(content, page.text)
        assert_form_leads_back(content)
        assert content.stop() == 0


def assert_form_leads_back(content: Content) -> None:
    form = urlencode({"unit": "c-f", "value": "20"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = content.ask("POST", "convert", form, headers)
    assert answer.status == 302
    assert answer.headers["location"].startswith(content.base_path)
    assert f"Path={content.base_path};" in answer.headers["set-cookie"]
    assert "20 °C = 68.00 °F" in content.get(answer.headers["location"]).text


@pytest.mark.parametrize("minor", ["3.8", "3.13"])
def test_a_wsgi_application_gets_the_whole_of_the_request(serve: Serve, minor: str) -> None:
    with serve("wsgi", "app", BUNDLES / "slow_flask", "flask>=3.0,<4\n", minor) as content:
        assert content.ask("POST", "size", b"x" * 3_000_000).text == "3000000"
        assert chunked(content, [b"ab" * 50_000] * 40) == "4000000"
        echoed = json.loads(
            content.get("echo/caf%C3%A9/a%20b", X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.7").text
        )
        assert echoed["rest"] == "café/a b"
        assert echoed["url"].startswith(f"https://{content_process.HOST}{content.base_path}echo/caf")
        assert (echoed["root"], echoed["address"]) == (content.base_path.rstrip("/"), "192.0.2.7")
        assert first_part_of(content, "drip") == b"first\n"
        drains(content)


def chunked(content: Content, parts: list[bytes]) -> str:
    connection = content_process.UnixConnection(content.socket)
    connection.request(
        "POST", content.base_path + "size", iter(parts), {"Transfer-Encoding": "chunked"}, encode_chunked=True
    )
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def first_part_of(content: Content, path: str) -> bytes:
    connection = content_process.UnixConnection(content.socket)
    connection.request("GET", content.base_path + path)
    part = connection.getresponse().read1(100)
    connection.close()
    return part


def drains(content: Content) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(content.get, "slow")
        while "slow began" not in content.log:
            assert not slow.done()
        assert content.stop() == 0
        assert slow.result(10).text == "done"


@pytest.mark.parametrize("minor", ["3.8", "3.9", "3.11", "3.13"])
def test_fastapi(sample: Serve, minor: str) -> None:
    with sample("fastapi", minor) as content:
        assert json.loads(content.get("version").text)["version"].startswith(minor)
        assert_assets_load(content, content.get().text)
        where = json.loads(content.get("whereabouts", X_Forwarded_Proto="https").text)
        assert where["root_path"] == content.base_path.rstrip("/")
        assert where["url"] == f"https://{content_process.HOST}{content.base_path}whereabouts"
        assert content.get("stations/").headers["location"] == content.url + "stations"
        assert f"{content.base_path}openapi.json" in content.get("docs").text
        assert content.get("openapi.json").status == 200
        with unix_connect(str(content.socket), uri=f"ws://h{content.base_path}live") as socket:
            socket.send("2")
            socket.send("4")
            assert [json.loads(socket.recv())["mean"] for _ in range(2)] == [2, 3]
        assert content.stop() == 0


STARLETTES = {
    "path without the root path": "fastapi==0.95.2\nstarlette==0.27.0\n",
    "the first with the whole path": "fastapi==0.109.2\nstarlette==0.36.3\n",
    "the author's own server": "fastapi==0.104.1\nuvicorn==0.23.2\n",
    "an old server of the author": "fastapi==0.88.0\nuvicorn==0.15.0\n",
}


@pytest.mark.parametrize("requirements", STARLETTES.values(), ids=STARLETTES)
def test_every_starlette_keeps_its_paths(serve: Serve, requirements: str) -> None:
    with serve("asgi", "app:app", BUNDLES / "fastapi_paths", requirements, "3.11") as content:
        root = content.get()
        assert (root.status, root.headers["location"]) == (307, content.base_path + "docs")
        assert f"{content.base_path}openapi.json" in content.get("docs").text
        where = json.loads(content.get("where").text)
        assert where == {"url": content.url + "where", "asset": content.url + "static/a.txt"}
        assert content.get(where["asset"]).text == "asset"
        assert json.loads(content.get("inner/deep").text)["root"] == content.base_path + "inner"
        assert content.get("where/").headers["location"] == content.url + "where"
        with unix_connect(str(content.socket), uri=f"ws://h{content.base_path}ws") as socket:
            assert socket.recv() == "hello"
        assert content.stop() == 0


@pytest.mark.parametrize("name", ["quart", "django", "litestar", "falcon", "sanic"])
def test_other_asgi_frameworks_find_their_routes(serve: Serve, name: str) -> None:
    requirements = (BUNDLES / name / "requirements.txt").read_text()
    with serve("asgi", "app:app", BUNDLES / name, requirements, "3.11") as content:
        answer = content.get("where")
        assert (answer.status, answer.text) == (200, content.base_path + "where")


@pytest.mark.parametrize("minor", ["3.9", "3.11", "3.13"])
def test_dash(sample: Serve, minor: str) -> None:
    with sample("dash", minor) as content:
        assert_assets_load(content, content.get().text)
        assert f"Dash on Python {minor}." in content.get("_dash-layout").text
        assert f'"href":"{content.base_path}about"' in content.get("_dash-layout").text.replace("\\u002f", "/")
        assert content.get("about").status == 200
        assert "Ice cream: 268 thousand sold" in chosen(content, "Ice cream")
        assert content.stop() == 0


def chosen(content: Content, product: str) -> str:
    """Return what Dash answers when the visitor chooses ``product``."""
    outputs = [{"id": "answer", "property": "children"}, {"id": "chart", "property": "figure"}]
    question = {
        "output": "..answer.children...chart.figure..",
        "outputs": outputs,
        "inputs": [{"id": "product", "property": "value", "value": product}],
        "changedPropIds": ["product.value"],
    }
    headers = {"Content-Type": "application/json"}
    answer = content.ask("POST", "_dash-update-component", json.dumps(question).encode(), headers)
    assert answer.status == 200, answer.text
    return answer.text


def test_a_dash_application_with_a_prefix_of_its_own_is_refused(serve: Serve, tmp_path: Path) -> None:
    code = "from dash import Dash, html\napp = Dash(__name__, url_base_pathname='/mine/')\napp.layout = html.P('x')\n"
    (tmp_path / "app.py").write_text(code)
    requirements = (SAMPLES / "dash/requirements.txt").read_text()
    started = serve("dash", "app", tmp_path, requirements, "3.11")
    with pytest.raises(AssertionError, match="Remove url_base_pathname"), started:
        pass
