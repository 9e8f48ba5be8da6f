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
    _refused("tensorflow-saved-model", 6, "TensorFlow model", Mode.interactive, "TensorFlow Serving"),
    _refused("nodejs", 20, "Node.js", Mode.interactive, "Node.js"),
)
