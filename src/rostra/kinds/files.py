"""Content without a process: files shown as they are, and an item nothing has been published to yet."""

from __future__ import annotations

from rostra.kinds.kind import Kind, Mode

STATIC = Kind(name="static", number=4, title="Static files", mode=Mode.static, python=False)

UNKNOWN = Kind(
    name="unknown",
    number=0,
    title="Nothing published",
    mode=Mode.static,
    python=False,
    refusal="The manifest does not say what kind of content this is.",
)

KINDS = (STATIC, UNKNOWN)
