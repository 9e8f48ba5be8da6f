"""Checks that a page keeps to its base path."""

from __future__ import annotations

from support import content_process
from support.content_process import Content


def assert_assets_load(content: Content, page: str, *, at_least: int = 1) -> None:
    """Everything ``page`` refers to on its own host is under the base path and is answered."""
    found = content_process.links(page, content.url)
    assert len(found) >= at_least, page[:2000]
    for link in found:
        assert (link + "/").startswith(content.url), f"{link} leaves {content.url}"
        assert content.get(link).status == 200, link
