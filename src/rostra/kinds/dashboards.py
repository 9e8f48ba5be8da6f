"""Applications whose framework brings its own server or event loop."""

from __future__ import annotations

from rostra.kinds.command import runner
from rostra.kinds.kind import Kind, Mode


def _application(name: str, number: int, title: str, runner_kind: str, job_tag: str) -> Kind:
    return Kind(
        name=name,
        number=number,
        title=title,
        mode=Mode.interactive,
        start=runner(runner_kind),
        job_tag=job_tag,
    )


STREAMLIT = _application("python-streamlit", 10, "Streamlit application", "streamlit", "run_streamlit")
BOKEH = _application("python-bokeh", 11, "Bokeh application", "bokeh", "run_bokeh_app")
SHINY = _application("python-shiny", 15, "Shiny for Python application", "shiny", "run_pyshiny_app")
GRADIO = _application("python-gradio", 17, "Gradio application", "gradio", "run_gradio_app")
PANEL = _application("python-panel", 18, "Panel application", "panel", "run_panel_app")

KINDS = (STREAMLIT, BOKEH, SHINY, GRADIO, PANEL)
