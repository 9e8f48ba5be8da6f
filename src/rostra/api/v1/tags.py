"""Tags: their trees, which administrators look after, and which tags content has."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import content_shapes, edge, shapes
from rostra.api.addresses import Links
from rostra.api.answers import Router
from rostra.api.content_shapes import Content, TagShape
from rostra.api.edge import Administrator, Known, Live, Reading, Writing
from rostra.api.subjects import Edited, Viewed
from rostra.content import audit_log, tags
from rostra.content.access import visible_to
from rostra.content.tables import Item, ItemTag
from rostra.wire import text

router = Router()


_Name = Annotated[Any, text(1, tags.LONGEST_NAME, pattern="^[^,]*$")]
_Number = Annotated[Any, text(pattern="^[0-9]{1,18}$")]
_Parent = Annotated[Any, text(pattern="^([0-9]{1,18})?$", null=True)]


class TagBody(BaseModel):
    """Without a parent it is a category."""

    name: _Name = None
    parent_id: _Parent = None


class ChangedTagBody(TypedDict, total=False):
    name: _Name
    parent_id: _Parent


class AssignBody(BaseModel):
    tag_id: _Number = None


shape = content_shapes.tag


@router.get("/v1/tags")
async def list_tags(
    *,
    who: Known,  # noqa: ARG001
    session: Reading,
    name: str | None = None,
    parent_id: str | None = None,
) -> list[TagShape]:
    """All tags, oldest first; of one name, or directly below one parent, when that is asked for."""
    below = tags.number(parent_id) if parent_id else None
    return [shape(tag) for tag in await tags.listing(session, name=name, parent_id=below)]


@router.post("/v1/tags", status_code=201)
async def create_tag(
    who: Administrator,  # noqa: ARG001
    wanted: Annotated[TagBody, edge.parsed(TagBody)],
    live: Live,
    session: Writing,
) -> TagShape:
    """Make a tag; without a parent it is a category."""
    return shape(await tags.create(session, wanted.name, wanted.parent_id, live.clock.now()))


@router.get("/v1/tags/{tag_id}")
async def get_tag(tag_id: str, who: Known, session: Reading) -> TagShape:  # noqa: ARG001
    """One tag, by its id or by the names from its category down to it, with commas between."""
    return shape(await (tags.get(session, tag_id) if tag_id.isdecimal() else tags.by_path(session, tag_id)))


@router.patch("/v1/tags/{tag_id}")
async def change_tag(
    tag_id: str,
    who: Administrator,  # noqa: ARG001
    given: Annotated[dict[str, Any], edge.parsed(dict[str, Any], ChangedTagBody)],
    live: Live,
    session: Writing,
) -> TagShape:
    """Rename a tag, or put it below another parent with all that is below it."""
    tag = await tags.get(session, tag_id)
    await tags.change(session, tag, given, live.clock.now())
    return shape(tag)


@router.delete("/v1/tags/{tag_id}", status_code=204)
async def delete_tag(tag_id: str, who: Administrator, session: Writing) -> Response:  # noqa: ARG001
    """Delete a tag with all that is below it; content loses them."""
    tag = await tags.get(session, tag_id)
    audit_log.note(session, name=tag.name)
    await tags.delete(session, tag)
    return Response(status_code=204)


@router.get("/v1/tags/{tag_id}/content")
async def list_tagged(tag_id: str, who: Known, session: Reading, links: Links) -> list[Content]:
    """The content with a tag, as far as the caller may know of it."""
    tag = await tags.get(session, tag_id)
    tagged = sa.select(Item).join(ItemTag, ItemTag.item_id == Item.id)
    wanted = tagged.where(ItemTag.tag_id == tag.id, visible_to(who)).order_by(Item.id)
    found = (await session.execute(wanted)).scalars().all()
    return await shapes.contents(session, who, found, links)


@router.get("/v1/content/{guid}/tags")
async def list_content_tags(subject: Viewed) -> list[TagShape]:
    """The item's tags, oldest first."""
    return [shape(tag) for tag in await tags.of_item(subject.session, subject.item)]


@router.post("/v1/content/{guid}/tags", status_code=201)
async def assign_tag(wanted: Annotated[AssignBody, edge.parsed(AssignBody)], subject: Edited) -> TagShape:
    """Give the item a tag, and with it those above up to the category."""
    tag = await tags.get(subject.session, wanted.tag_id)
    await tags.assign(subject.session, subject.item, tag)
    return shape(tag)


@router.delete("/v1/content/{guid}/tags/{tag_id}", status_code=204)
async def unassign_tag(tag_id: str, subject: Edited) -> Response:
    """Take a tag away, and with it those below."""
    tag = await tags.get(subject.session, tag_id)
    audit_log.note(subject.session, tag=tag.name)
    await tags.unassign(subject.session, subject.item, tag)
    return Response(status_code=204)
