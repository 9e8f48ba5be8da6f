"""Dashboards: their own code runs in a browser's session, so the truth is what a browser really shows.

A working one shows ``fine``, once everything in ``clicks`` has been pressed.
"""

from __future__ import annotations

from rehearsal.corpus.item import Item

STREAMLIT, DASH, BOKEH, PANEL = "streamlit==1.38.0", "dash==2.18.2", "bokeh==3.4.3", "panel==1.4.5"
GRADIO = ("gradio==4.44.1", "huggingface-hub<1", "pydantic<2.11")
SHINY, VOILA = "shiny==1.2.1", ("voila==0.5.8", "ipywidgets==8.1.5", "ipykernel==6.29.5")
USE = "\n\ndef word():\n    import imp\n    return 'fine' if imp.reload else ''\n"
DASH_CODE = (
    "from dash import Dash, Input, Output, dcc, html\n{above}\n\napp = Dash(__name__)\napp.layout = html.Div([\n"
    "    dcc.Input(id='n', value=3), html.Button('Press', id='press'), html.P(id='told'), html.P('{shown}')])\n\n\n"
    "@app.callback(Output('told', 'children'), Input('{source}', '{value}'){more})\ndef tell(n):\n    return {said}\n"
)


def dash(above: str = "", said: str = "'fine'", *, press: bool = False, shown: str = "") -> str:
    source, value = ("press", "n_clicks") if press else ("n", "value")
    more = ", prevent_initial_call=True" if press else ""
    return DASH_CODE.format(above=above, said=said, source=source, value=value, more=more, shown=shown)


def shiny(server: str, *, above: str = "") -> str:
    return (
        f"from shiny import App, render, ui\n{above}\n\n"
        "page = ui.page_fluid(ui.input_action_button('press', 'Press'), ui.output_text('told'))\n\n\n"
        f"def server(input, output, session):\n{server}\n\napp = App(page, server)\n"
    )


def moved(name: str, why: str, kind: str, code: str, *requires: str, **more: object) -> Item:
    return Item(name=name, why=why, on="3.9", onto="3.12", kind=kind, code=code, requires=requires, **more)  # type: ignore[arg-type]


TEXT = "    @render.text\n    def told():\n        return {}\n"
ITEMS = (
    moved("streamlit-clean", "nothing to break", "python-streamlit", "import streamlit as st\n\nst.write('fine')\n",
          STREAMLIT, clicks=()),
    moved("streamlit-top", "a removed module at the top, which runs in a session only", "python-streamlit",
          "import imp\n\nimport streamlit as st\n\nst.write('fine' if imp.reload else '')\n", STREAMLIT),
    moved("streamlit-called", "the same in a function that the script calls", "python-streamlit",
          f"import streamlit as st\n{USE}\n\nst.write(word())\n", STREAMLIT),
    moved("streamlit-method", "asyncio.coroutine is gone; found by running only, it is looked up by name",
          "python-streamlit", "import asyncio\n\nimport streamlit as st\n\n"
          "st.write('fine' if callable(getattr(asyncio, 'co' + 'routine')) else '')\n", STREAMLIT),
    moved("streamlit-press", "only what a button sets off uses a removed module", "python-streamlit",
          f"import streamlit as st\n{USE}\n\nif st.button('Press'):\n    st.write(word())\n", STREAMLIT,
          clicks=("Press",)),
    moved("dash-clean", "nothing to break", "python-dash", dash(), DASH),
    moved("dash-top", "a removed module at the top", "python-dash", dash("import imp\n"), DASH),
    moved("dash-callback", "a callback that the browser calls first", "python-dash", dash(USE, "word()"), DASH),
    moved("dash-press", "a callback that a button calls", "python-dash", dash(USE, "word()", press=True), DASH,
          clicks=("Press",)),
    moved("dash-press-clean", "a callback that a button calls works", "python-dash", dash(press=True), DASH,
          clicks=("Press",)),
    moved("bokeh-clean", "nothing to break", "python-bokeh",
          "from bokeh.io import curdoc\nfrom bokeh.models import Div\n\ncurdoc().add_root(Div(text='fine'))\n",
          BOKEH),
    moved("bokeh-document", "a removed module in what runs for each session", "python-bokeh",
          "import imp\n\nfrom bokeh.io import curdoc\nfrom bokeh.models import Div\n\n"
          "curdoc().add_root(Div(text='fine' if imp.reload else ''))\n", BOKEH),
    moved("panel-clean", "nothing to break", "python-panel",
          "import panel as pn\n\npn.pane.Str('fine').servable()\n", PANEL, BOKEH),
    moved("panel-load", "a removed module in what runs when a session is loaded", "python-panel",
          f"import panel as pn\n{USE}\n\nshown = pn.pane.Str('')\n\n\ndef load():\n    shown.object = word()\n\n\n"
          "pn.state.onload(load)\nshown.servable()\n", PANEL, BOKEH),
    moved("gradio-clean", "nothing to break", "python-gradio",
          "import gradio as gr\n\nwith gr.Blocks() as demo:\n    gr.Markdown('fine')\n", *GRADIO),
    moved("gradio-load", "a removed module in what runs on load", "python-gradio",
          f"import gradio as gr\n{USE}\n\nwith gr.Blocks() as demo:\n    shown = gr.Markdown('')\n"
          "    demo.load(word, None, shown)\n", *GRADIO),
    moved("shiny-clean", "nothing to break", "python-shiny", shiny(TEXT.format("'fine'")), SHINY),
    moved("shiny-server", "a removed module in the server function", "python-shiny",
          shiny("    import imp\n\n" + TEXT.format("'fine' if imp.reload else ''")), SHINY),
    moved("shiny-output", "a removed module in an output", "python-shiny", shiny(TEXT.format("word()"), above=USE),
          SHINY),
    moved("shiny-press", "an output that shows only after a button", "python-shiny",
          shiny(TEXT.format("word() if input.press() else ''"), above=USE), SHINY, clicks=("Press",)),
    Item(name="voila-clean", why="nothing to break", on="3.9", onto="3.12", kind="jupyter-voila",
         cells=("print('fi' + 'ne')",), requires=VOILA),
    Item(name="voila-cell", why="a removed module in a cell", on="3.9", onto="3.12", kind="jupyter-voila",
         cells=("import imp", "print('fi' + 'ne')"), requires=VOILA),
)  # fmt: skip
