"""Quarto documents and projects, rendered ahead by a Quarto program when the server has one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rostra.environments.spec import Environment
from rostra.kinds.kind import Kind, Mode

_SUFFIXES = (".qmd", ".ipynb", ".Rmd", ".rmd", ".md", ".py", ".R", ".r")


def primary_document(folder: Path, named: str) -> str:
    """Return what to render: the file named, ``.`` for a project, else the only document; empty when unclear."""
    if named:
        return named
    if any((folder / name).is_file() for name in ("_quarto.yml", "_quarto.yaml")):
        return "."
    for suffix in _SUFFIXES:
        there = sorted(path.name for path in folder.iterdir() if path.suffix == suffix and path.is_file())
        index = [name for name in there if name.startswith("index.")]
        if index or len(there) == 1:
            return (index or there)[0]
        if there:
            return ""
    return ""


DOCUMENT = Kind(
    name="quarto-static",
    number=14,
    title="Quarto",
    mode=Mode.rendered,
    python=False,
    quarto=True,
    additions=("ipykernel", "nbclient", "nbformat", "pyyaml"),  # what its Python engine imports
    document=primary_document,
    job_tag="build_report",
)
INTERACTIVE = Kind(
    name="quarto-shiny",
    number=13,
    title="Interactive Quarto",
    mode=Mode.interactive,
    python=False,
    refusal="Interactive Quarto documents are not run by this server.",
)

KINDS = (INTERACTIVE, DOCUMENT)


def variables(environment: Environment | None, r: Path | None) -> Mapping[str, str]:
    """Return which Python and which R Quarto is to use."""
    found = {}
    if environment is not None:
        found["QUARTO_PYTHON"] = str(environment.python)
    if r is not None:
        found["QUARTO_R"] = str(r.parent)
    return found
