"""How bundles look on the wire: exactly these keys, in this order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.api.content_shapes import LOCAL, Owner, Person, Place, named, place_of
from rostra.api.shapes import people
from rostra.clock import wire_time
from rostra.content.tables import Bundle, Item
from rostra.wire import Guid, Id, Time

_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_KNOWN = ("source", "source_repo", "source_branch", "source_commit", "archive_md5", "archive_sha1")
Source = Annotated[
    dict[str, str | None],
    WithJsonSchema(
        {
            "type": "object",
            "required": list(_KNOWN),
            "properties": dict.fromkeys(_KNOWN, _TEXT),
            "additionalProperties": _TEXT,
        }
    ),
]
"""Where a bundle comes from, and its checksums; clients may say more than the keys that are always there."""


class BundleBase(Place):
    content_guid: Guid
    created_time: Time
    created_by: Guid | None
    created_by_name: str | None
    created_by_user: Owner | None
    environment_guid: Guid | None
    active: bool
    size: int
    metadata: Source


class BundleShape(BundleBase):
    id: Id


def bundle(row: Bundle, item: Item, creators: Mapping[int, Person]) -> BundleShape:
    creator = creators.get(row.created_by_id or 0)
    place = place_of(row)
    return {
        "id": str(row.id),
        "content_guid": item.guid,
        "created_time": wire_time(row.created_at),
        "created_by": creator.guid if creator else None,
        "created_by_name": creator.username if creator else None,
        "created_by_user": None if creator is None else named(creator),
        "cluster_name": LOCAL,
        "image_name": LOCAL,
        "environment_guid": None,
        "r_version": place["r_version"],
        "r_environment_management": place["r_environment_management"],
        "py_version": place["py_version"],
        "py_environment_management": place["py_environment_management"],
        "quarto_version": place["quarto_version"],
        "node_version": None,
        "active": row.id == item.live_bundle_id,
        "size": row.size,
        "metadata": _source(row),
    }


def _source(row: Bundle) -> dict[str, str | None]:
    usual: dict[str, str | None] = dict.fromkeys(("source", "source_repo", "source_branch", "source_commit"))
    return {**usual, **row.metadata_, "archive_md5": row.md5, "archive_sha1": row.sha1}


async def bundles(session: AsyncSession, rows: Sequence[Bundle], item: Item) -> list[BundleShape]:
    """Return the shapes of an item's bundles, in their order."""
    ids = {row.created_by_id for row in rows if row.created_by_id is not None}
    creators = await people(session, ids)
    return [bundle(row, item, creators) for row in rows]
