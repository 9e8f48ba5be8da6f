"""Kinds that publishing clients know and Rostra does not run: known by name, refused in words."""

from __future__ import annotations

from rostra.kinds.kind import Kind, Mode


def _refused(name: str, number: int, title: str, mode: Mode, needs: str) -> Kind:
    return Kind(
        name=name,
        number=number,
        title=title,
        mode=mode,
        python=False,
        refusal=f"{title} content needs {needs}, which this server does not run.",
    )


KINDS = (
    _refused("shiny", 1, "Shiny for R", Mode.interactive, "R"),
    _refused("rmd-shiny", 2, "Interactive R Markdown", Mode.interactive, "R"),
    _refused("rmd-static", 3, "R Markdown", Mode.rendered, "R"),
    _refused("api", 5, "Plumber API", Mode.interactive, "R"),
    _refused("tensorflow-saved-model", 6, "TensorFlow model", Mode.interactive, "TensorFlow Serving"),
    _refused("quarto-shiny", 13, "Interactive Quarto", Mode.interactive, "Quarto"),
    _refused("quarto-static", 14, "Quarto", Mode.rendered, "Quarto"),
    _refused("nodejs", 20, "Node.js", Mode.interactive, "Node.js"),
)
