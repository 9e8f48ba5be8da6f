"""Dashboards whose code breaks only in a browser's session, rehearsed by a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.direct import new_item
from support.server import Server, running_server

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("rehearsal-sessions")]
SAMPLES = Path(__file__).parents[2] / "samples"
LAZY = "def lazily():\n    import {}\n    return 'fine'\n\n"
GONE, THERE = LAZY.format("telnetlib"), LAZY.format("ftplib")
STREAMLIT = "import streamlit as st\n\n{}st.write('begun')\nst.write(lazily())\n"
SHINY = (
    "from shiny import App, ui\n\n{}def server(input, output, session):\n    lazily()\n\n"
    "app = App(ui.page_fluid(ui.output_text('told')), server)\n"
)
DASH = (
    "from dash import Dash, Input, Output, dcc, html\n\n{}app = Dash(__name__)\n"
    "app.layout = html.Div([dcc.Input(id='n', value=3), html.P(id='told')])\n\n\n"
    "@app.callback(Output('told', 'children'), Input('n', 'value'))\ndef tell(n):\n    return lazily()\n"
)
PANEL = "import panel as pn\n\n{}pn.state.onload(lazily)\npn.pane.Str('x').servable()\n"
ITEMS = {
    "streamlit-gone": ("streamlit", STREAMLIT.format(GONE), "app.py"),
    "streamlit-fine": ("streamlit", STREAMLIT.format(THERE), "app.py"),
    "shiny-gone": ("shiny", SHINY.format(GONE), "app:app"),
    "dash-gone": ("dash", DASH.format(GONE), "app:app"),
    "dash-fine": ("dash", DASH.format(THERE), "app:app"),
    "panel-gone": ("panel", PANEL.format(GONE), "app.py"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    old, new = interpreters.minor("3.11"), interpreters.minor("3.13")
    if old is None or new is None:
        pytest.skip("no Python 3.11 and 3.13 on this machine")
    version = next(each for each in interpreters.installed() if each.startswith("3.11."))
    python = {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
    with running_server(tmp_path_factory.mktemp("s"), [Path(old), Path(new)]) as server:
        for title, (name, code, entrypoint) in ITEMS.items():
            requirements = (SAMPLES / name / "requirements.txt").read_text()
            metadata = {"appmode": f"python-{name}", "entrypoint": entrypoint}
            item = new_item(server, title=title)
            item.deploy({"app.py": code, "requirements.txt": requirements}, metadata=metadata, python=python)
        yield rehearsed(server)


def rehearsed(server: Server) -> dict[str, dict[str, Any]]:
    """Without the static check: what is found here is found by running it."""
    made = server.ask("/__api__/v1/rehearsals", "POST", {"retire": "3.11", "onto": "3.13", "depth": "start"})
    assert server.wait_for(made["task_id"])["code"] == 0
    report = server.ask(f"/__api__/v1/rehearsals/{made['id']}/report")
    return {each["title"]: each for each in report["items"]}


@pytest.mark.parametrize("title", ITEMS)
def test_a_session_tells_what_a_first_page_does_not(results: dict[str, dict[str, Any]], title: str) -> None:
    found = results[title]
    if title.endswith("-fine"):
        assert found["outcome"] == "safe", found
        return
    assert (found["outcome"], found["decided_by"]) == ("needs-work", "start"), found
    assert "No module named 'telnetlib'" in found["reason"]
    assert found["where"].startswith("app.py:")
    assert not found["broken_today"]
