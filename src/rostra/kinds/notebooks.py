"""Jupyter notebooks: served live, or executed once and shown as a page."""

from __future__ import annotations

from rostra.kinds.command import runner
from rostra.kinds.kind import Kind, Mode

# Notebook authors rarely list what shows the notebook, only what it imports; both are added when absent.
VOILA = Kind(
    name="jupyter-voila",
    number=16,
    title="Voila notebook",
    mode=Mode.interactive,
    start=runner("voila"),
    additions=("voila", "ipykernel"),
    job_tag="run_voila_app",
)

NOTEBOOK = Kind(
    name="jupyter-static",
    number=7,
    title="Jupyter notebook",
    mode=Mode.rendered,
    additions=("ipykernel",),
    job_tag="build_jupyter",
)

KINDS = (VOILA, NOTEBOOK)
