"""Streamlit, Bokeh, Panel, Gradio, Shiny and Voila, really served under a base path on several Pythons.

The browser tier clicks; here the same frameworks are spoken to in their own protocols, far enough that a widget's
answer changes or the session is seen to begin.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.content_links import assert_assets_load
from support.content_process import Content
from websockets.sync.client import ClientConnection, unix_connect

pytestmark = pytest.mark.interpreters
Serve = Callable[..., AbstractContextManager[Content]]
SAMPLES = Path(__file__).parents[2] / "samples"
PYTHONS = pytest.mark.parametrize("minor", ["3.9", "3.11", "3.13"])


@contextmanager
def socket(content: Content, path: str, subprotocols: list[Any] | None = None) -> Iterator[ClientConnection]:
    """Open a WebSocket as a browser on the content's page does."""
    with unix_connect(
        str(content.socket),
        uri=f"ws://visitors.example{content.base_path}{path}",
        origin="http://visitors.example",  # type: ignore[arg-type]
        subprotocols=subprotocols,
        max_size=None,
    ) as connection:
        yield connection


def until(connection: ClientConnection, found: Callable[[Any], bool]) -> Any:
    """Return the first message that is ``found``."""
    while True:
        message = connection.recv(20)
        if found(message):
            return message


@PYTHONS
def test_shiny(sample: Serve, minor: str) -> None:
    with sample("shiny", minor) as content:
        page = content.get().text
        assert f"Shiny on Python {minor}." in page
        assert_assets_load(content, page, at_least=5)
        inputs = {"counters:shiny.number": 3, "arrivals:shiny.number": 60, "minutes:shiny.number": 3}
        with shiny_session(content, {**inputs, ".clientdata_output_answer_hidden": False}) as session:
            first = shiny_answer(session)
            session.send(json.dumps({"method": "update", "data": {"counters:shiny.number": 1}}))
            assert shiny_answer(session) != first
        assert content.stop() == 0


@PYTHONS
def test_shiny_express(sample: Serve, minor: str) -> None:
    with sample("shiny-express", minor) as content:
        page = content.get().text
        assert f"Shiny Express on Python {minor}." in page
        assert_assets_load(content, page, at_least=5)
        inputs = {"dice:shiny.number": 2, "throws:shiny.number": 100, "again:shiny.action": 0}
        with shiny_session(content, {**inputs, ".clientdata_output_answer_hidden": False}) as session:
            first = shiny_answer(session)
            session.send(json.dumps({"method": "update", "data": {"dice:shiny.number": 5}}))
            assert shiny_answer(session) != first


@contextmanager
def shiny_session(content: Content, inputs: dict[str, Any]) -> Iterator[ClientConnection]:
    with socket(content, "websocket/") as session:
        session.send(json.dumps({"method": "init", "data": inputs}))
        yield session


def shiny_answer(session: ClientConnection) -> str:
    def has_answer(message: Any) -> bool:
        return "answer" in json.loads(message).get("values", {})

    return str(json.loads(until(session, has_answer))["values"]["answer"])


def test_an_express_script_named_as_a_file_is_seen_to_be_one(serve: Serve) -> None:
    requirements = (SAMPLES / "shiny-express/requirements.txt").read_text()
    with serve("shiny", "app.py", SAMPLES / "shiny-express", requirements, "3.11") as content:
        assert "Shiny Express on Python" in content.get().text


@PYTHONS
def test_streamlit(sample: Serve, minor: str) -> None:
    with sample("streamlit", minor) as content:
        page = content.get()
        assert_assets_load(content, page.text, at_least=3)
        assert content.get("_stcore/health").text == "ok"
        with socket(content, "_stcore/stream", ["streamlit"]) as session:
            session.send(b"\x5a\x00")  # BackMsg.rerun_script, empty
            wanted = f"Streamlit on Python {minor}.".encode()
            until(session, lambda message: wanted in message)
        assert content.stop() == 0


STREAMLITS = {
    "the oldest that is supported": "streamlit==1.20.0\naltair<5\nnumpy<2\npyarrow<16\n",
    "with both servers": "streamlit==1.55.0\n",
    "the first without tornado": "streamlit==1.57.0\nstarlette<1\n",
}


@pytest.mark.parametrize("requirements", STREAMLITS.values(), ids=STREAMLITS)
def test_every_streamlit_is_served(serve: Serve, requirements: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import streamlit as st\nst.write('what it says')\n")
    with serve("streamlit", "app", tmp_path, requirements, "3.11") as content:
        assert_assets_load(content, content.get().text)
        with socket(content, "_stcore/stream", ["streamlit"]) as session:
            session.send(b"\x5a\x00")
            until(session, lambda message: b"what it says" in message)
        assert content.stop() == 0


@PYTHONS
@pytest.mark.parametrize("name", ["bokeh", "panel"])
def test_bokeh_and_panel(sample: Serve, name: str, minor: str) -> None:
    with sample(name, minor) as content:
        page = content.get().text
        assert_assets_load(content, page, at_least=3)
        assert_bokeh_session(content, page, f"on Python {minor}.")
        assert content.stop() == 0


def assert_bokeh_session(content: Content, page: str, wanted: str = "") -> None:
    token = re.search(r'"token":\s*"([^"]+)"', page)
    assert token, page[:3000]
    with socket(content, "ws", ["bokeh", token[1]]) as session:
        assert "ACK" in until(session, lambda message: "msgtype" in message)
        session.send(json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"}))
        session.send("{}")
        session.send("{}")
        until(session, lambda message: wanted in message and "doc" in message)


def test_a_bokeh_directory_with_files_of_its_own_is_served(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\ncurdoc().add_root(Div(text='from a folder'))\n"
    )
    (tmp_path / "theme.yaml").write_text("attrs: {}\n")
    (tmp_path / "static").mkdir()
    (tmp_path / "static/own.txt").write_text("own file")
    requirements = (SAMPLES / "bokeh/requirements.txt").read_text()
    with serve("bokeh", "main", tmp_path, requirements, "3.11") as content:
        moved = content.get()
        assert moved.status == 302
        target = moved.headers["location"]
        assert content.get(target + "/static/own.txt").text == "own file"
        assert_assets_load(content, content.get(target).text)


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        ("streamlit", "import streamlit, nothing_like_it\n", "no module named 'nothing_like_it' is installed"),
        ("streamlit", "def f(:\n", "is not valid Python"),
        ("bokeh", "import bokeh\nimport nothing_like_it\n", "no module named 'nothing_like_it' is installed"),
    ],
)
def test_a_script_that_cannot_run_is_not_started(serve: Serve, kind: str, code: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(code)
    requirements = (SAMPLES / kind / "requirements.txt").read_text()
    with pytest.raises(AssertionError, match=said), serve(kind, "app", tmp_path, requirements, "3.11"):
        pass


@PYTHONS
def test_gradio(sample: Serve, minor: str) -> None:
    with sample("gradio", minor) as content:
        # Gradio's page asks for its manifest at the root of the host, whatever it was told.
        page = content.get(X_Forwarded_Proto="https").text.replace('href="/manifest.json"', "")
        assert_assets_load(content, page)
        config = json.loads(content.get("config", X_Forwarded_Proto="https", X_Forwarded_Host="apps.example").text)
        assert config["root"] == f"https://apps.example{content.base_path.rstrip('/')}"
        assert f"Gradio on Python {minor}." in json.dumps(config)
        prefix = config.get("api_prefix", "").lstrip("/")
        assert "3 words" in gradio_answer(content, f"{prefix}/".lstrip("/"), "One two three.")
        assert "2 words" in gradio_answer(content, f"{prefix}/".lstrip("/"), "One two.")
        assert content.stop() == 0


def gradio_answer(content: Content, prefix: str, text: str) -> str:
    """Return the events of one call through Gradio's queue."""
    question = json.dumps({"data": [text]}).encode()
    asked = content.ask("POST", f"{prefix}call/judge", question, {"Content-Type": "application/json"})
    assert asked.status == 200, asked.text
    return content.get(f"{prefix}call/judge/{json.loads(asked.text)['event_id']}").text


@pytest.mark.parametrize("named", ["demo = ", ""], ids=["named", "without a name"])
def test_a_gradio_script_that_launches_itself_is_served(serve: Serve, named: str, tmp_path: Path) -> None:
    code = "gr.Interface(str.upper, 'textbox', 'textbox')"
    launched = f"{named}{code}\n" + ("demo.launch()\n" if named else f"{code}.launch()\n")
    (tmp_path / "app.py").write_text("import gradio as gr\n" + launched)
    requirements = (SAMPLES / "gradio/requirements.txt").read_text()
    with serve("gradio", "app", tmp_path, requirements, "3.11") as content:
        assert content.get("config").status == 200
        assert "Blocks.launch() was ignored" in content.log


@PYTHONS
def test_voila(sample: Serve, minor: str) -> None:
    with sample("voila", minor) as content:
        page = content.get().text
        assert f"Voila on Python {minor}." in page
        assert_assets_load(content, page)
        kernel = re.search(r'"?kernelId"?:\s*"([^"]+)"', page)
        assert kernel, page[:3000]
        with socket(content, f"api/kernels/{kernel[1]}/channels") as session:
            session.send(json.dumps(kernel_question()))
            until(session, lambda message: b"kernel_info_reply" in as_bytes(message))
        assert content.stop() == 0


def kernel_question() -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "session": "s",
        "username": "",
        "msg_type": "kernel_info_request",
        "version": "5.3",
    }
    return {"header": header, "parent_header": {}, "metadata": {}, "content": {}, "channel": "shell", "buffers": []}


def as_bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def test_a_folder_of_notebooks_is_listed(serve: Serve, tmp_path: Path) -> None:
    notebook = (SAMPLES / "voila/explore.ipynb").read_text()
    for name in ("one.ipynb", "two.ipynb"):
        (tmp_path / name).write_text(notebook.replace('"name": "python3"', '"name": "an-authors-own-kernel"'))
    requirements = (SAMPLES / "voila/requirements.txt").read_text()
    with serve("voila", "", tmp_path, requirements, "3.11") as content:
        assert content.get().status == 200
        listed = json.loads(content.get("voila/api/contents").text)["content"]
        assert sorted(entry["name"] for entry in listed) == ["one.ipynb", "two.ipynb"]
        assert "Voila on Python 3.11." in content.get("voila/render/one.ipynb").text
