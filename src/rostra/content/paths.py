"""Which item a visitor's path means, and under which base path its process answers. Pure: no disk, no database."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rostra.ids import PoolKey

_CONTENT = re.compile(
    r"/content/(?P<guid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"(?P<slash>/(?:_bundle(?P<bundle>[0-9]{1,18})(?P<bundle_slash>/)?)?)?"
)


@dataclass(frozen=True, slots=True)
class Place:
    """What a path means. ``prefix`` is the part of the path that names it, with both slashes.

    ``bundle_id`` is set for a draft's preview. ``complete`` is False when only the closing slash is missing.
    """

    prefix: str
    guid: str | None = None
    vanity: str | None = None
    bundle_id: int | None = None
    complete: bool = True


def place(path: str, vanities: Iterable[str] = ()) -> Place | None:
    """Return what the raw path (no query) means, or None when it is nobody's content.

    The path is compared byte for byte: an encoded or dotted spelling of another item's path is not that item's path.
    """
    found = _CONTENT.match(path)
    if found:
        return _content_place(path, found)
    for vanity in sorted(vanities, key=len, reverse=True):
        if path.startswith(vanity):
            return Place(prefix=vanity, vanity=vanity)
        if path == vanity.rstrip("/"):
            return Place(prefix=vanity, vanity=vanity, complete=False)
    return None


def _content_place(path: str, found: re.Match[str]) -> Place | None:
    guid, bundle = found["guid"], found["bundle"]
    if not found["slash"]:
        return Place(f"/content/{guid}/", guid, complete=False) if found.end() == len(path) else None
    if bundle is None:
        return Place(f"/content/{guid}/", guid)
    if found["bundle_slash"]:
        return Place(f"/content/{guid}/_bundle{bundle}/", guid, bundle_id=int(bundle))
    if found.end() == len(path):
        return Place(f"/content/{guid}/_bundle{bundle}/", guid, bundle_id=int(bundle), complete=False)
    return Place(f"/content/{guid}/", guid)  # a file of the item that happens to be called _bundle7.html


def base_path(guid: str, vanity: str | None, bundle_id: int | None = None, *, server: str = "") -> str:
    """Return the path a process of this item answers under: the draft's own, else the vanity path, else the guid's.

    Args:
        server: the path of the server's own address, ``/rsc``; what content writes into its pages begins with it.
    """
    if bundle_id is not None:
        return f"{server}/content/{guid}/_bundle{bundle_id}/"
    return server + (vanity or f"/content/{guid}/")


def pool_key(guid: str, bundle_id: int | None = None) -> PoolKey:
    """Return the name of the item's live pool, or of the pool of one draft."""
    return PoolKey(guid if bundle_id is None else f"{guid}@{bundle_id}")


def split_pool(key: PoolKey) -> tuple[str, int | None]:
    guid, _, bundle = key.partition("@")
    return guid, int(bundle) if bundle else None
