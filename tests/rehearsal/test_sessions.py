"""What frameworks run only once a browser has opened a session, really run by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from support.content_process import Content

from rostra.rehearsal import page as pages
from rostra.rehearsal.session import Opened, Session
from rostra.rehearsal.sessions import SAID, use

Serve = Callable[..., AbstractContextManager[Content]]
SAMPLES = Path(__file__).parents[2] / "samples"
FAILING: dict[str, tuple[str, str]] = {
    "streamlit": ("import streamlit as st\nst.write('begun')\nst.write({}['nothing'])\n", ""),
    "shiny": (
        "from shiny import App, render, ui\n\n"
        "def server(input, output, session):\n"
        "    @output\n    @render.text\n    def told():\n        return str(input.n() / 0)\n\n"
        "app = App(ui.page_fluid(ui.input_numeric('n', 'N', 3), ui.output_text('told')), server)\n",
        "the output told failed: division by zero",
    ),
    "bokeh": ("from bokeh.io import curdoc\n1 / 0\n", ""),
    "panel": (
        "import panel as pn\n\ndef load():\n    1 / 0\n\npn.state.onload(load)\npn.pane.Str('x').servable()\n",
        "",
    ),
    "gradio": (
        "import gradio as gr\n\ndef fill():\n    return 1 / 0\n\n"
        "with gr.Blocks() as demo:\n    box = gr.Textbox()\n    demo.load(fill, None, box)\n",
        "what it does on load failed",
    ),
    "dash": (
        "from dash import Dash, Input, Output, dcc, html\n"
        "app = Dash(__name__)\n"
        "app.layout = html.Div([dcc.Input(id='n', value=3), html.P(id='told')])\n\n"
        "@app.callback(Output('told', 'children'), Input('n', 'value'))\ndef tell(n):\n    return n / 0\n",
        "the callback for told.children answers 500",
    ),
}


def notebook(*cells: str) -> str:
    made = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


async def used(kind: str, content: Content) -> Session:
    base = content.base_path
    return await use(kind, Opened(content.socket, base, pages.first(content.socket, base, 60)), 60)


@pytest.mark.anyio
@pytest.mark.interpreters
@pytest.mark.parametrize("name", ["streamlit", "shiny", "shiny-express", "bokeh", "panel", "gradio", "dash", "voila"])
async def test_what_works_is_seen_to_run(sample: Serve, name: str) -> None:
    kind = json.loads((SAMPLES / name / "sample.json").read_text())["kind"]
    with sample(name, "3.11") as content:
        assert await used(kind, content) == Session(), content.log


@pytest.mark.anyio
@pytest.mark.interpreters
@pytest.mark.parametrize("name", FAILING)
async def test_what_fails_in_a_session_is_seen_to(serve: Serve, name: str, tmp_path: Path) -> None:
    code, said = FAILING[name]
    (tmp_path / "app.py").write_text(code)
    requirements = (SAMPLES / name / "requirements.txt").read_text()
    entrypoint = "app:app" if name in ("shiny", "dash") else "app"
    with serve(name, entrypoint, tmp_path, requirements, "3.11") as content:
        found = await used(f"python-{name}", content)
        assert found.ran
        assert said in found.failed
        assert found.failed or any(mark in content.log for mark in SAID), content.log


@pytest.mark.anyio
@pytest.mark.interpreters
async def test_a_failing_cell_of_a_live_notebook_is_seen(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(notebook("print(1)", "1 / 0"))
    requirements = (SAMPLES / "voila/requirements.txt").read_text()
    with serve("voila", "x.ipynb", tmp_path, requirements, "3.11") as content:
        assert (await used("jupyter-voila", content)).failed == "cell 2 failed"


@pytest.mark.anyio
@pytest.mark.interpreters
async def test_what_speaks_differently_is_not_said_to_fail(sample: Serve) -> None:
    """Content that is no such application: nothing is known of its code, and that is what is said."""
    with sample("dash", "3.11") as content:
        for kind in ("python-streamlit", "python-shiny", "python-panel", "python-gradio", "jupyter-voila"):
            found = await used(kind, content)
            assert (found.ran, found.failed) == (False, ""), kind
            assert found.unseen
