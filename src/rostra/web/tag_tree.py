"""Tags as the pages list them: each tree from its category down, with how deep a tag stands. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TagRow:
    """``depth`` 0 is a category, which content cannot have itself."""

    id: str
    name: str
    depth: int
    chosen: bool


def tree(tags: Sequence[dict[str, Any]], chosen: Collection[str] = ()) -> list[TagRow]:
    """Return the tags in the order of a table of contents: below each tag its own, by name."""
    below: dict[str | None, list[dict[str, Any]]] = {}
    for tag in sorted(tags, key=lambda one: str(one["name"]).lower()):
        below.setdefault(tag["parent_id"], []).append(tag)

    def walk(parent: str | None, depth: int) -> Iterator[TagRow]:
        for tag in below.get(parent, ()):
            yield TagRow(tag["id"], tag["name"], depth, tag["id"] in chosen)
            yield from walk(tag["id"], depth + 1)

    return list(walk(None, 0))
