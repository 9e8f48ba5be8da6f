"""Notebooks: executed from top to bottom on both Pythons."""

from __future__ import annotations

from rehearsal.corpus.item import Item

KERNEL = ("ipykernel==6.29.5", "pyzmq==26.2.1", "tornado==6.4.2", "debugpy==1.8.14", "psutil==6.1.1")

ITEMS = (
    Item(name="notebook-plain", why="nothing to break", requires=KERNEL, gate=True, cells=("x = 1 + 1\nx", "%time x")),
    Item(name="notebook-imp", why="imp is gone", requires=KERNEL, gate=True, cells=("x = 1", "import imp\nx")),
    Item(name="notebook-iterable", why="collections.Iterable is gone", requires=KERNEL,
         cells=("import collections", "isinstance([], collections.Iterable)")),
    Item(name="notebook-guarded", why="the author prepared", requires=KERNEL,
         cells=("try:\n    import imp\nexcept ImportError:\n    imp = None\nimp is None",)),
)  # fmt: skip
