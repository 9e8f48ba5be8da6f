"""Groups and who is in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Publisher, Reading, Writing, after_commit
from rostra.api.paging import Page, Paged
from rostra.api.services import Services
from rostra.api.sight import Shown, Sight
from rostra.api.v1 import users as people
from rostra.auth import groups, users
from rostra.auth.tables import Group
from rostra.content.access import Access, Grant, visible_to
from rostra.content.tables import Item, Permission
from rostra.wire import Guid, one_of, text

router = Router()


class NewGroupBody(BaseModel):
    """``unique_id`` belongs to external directories; it is not used."""

    name: Annotated[Any, text(1, groups.LONGEST_NAME)] = None
    unique_id: Any = None


class MemberBody(BaseModel):
    user_guid: str


class GroupShape(TypedDict):
    guid: Guid
    name: str
    owner_guid: Guid | None


class GivenToGroup(TypedDict):
    principal_guid: Guid
    principal_name: str
    principal_role: Annotated[str, one_of(Grant)]
    principal_type: Literal["group"]


class ContentOfGroup(TypedDict):
    content_guid: Guid
    content_name: str
    content_title: str | None
    access_type: Annotated[str, one_of(Access)]
    permissions: list[GivenToGroup]


def shape(group: Group, owners: dict[int, str]) -> GroupShape:
    return {"guid": group.guid, "name": group.name, "owner_guid": owners.get(group.owner_id or 0)}


async def _shaped(session: AsyncSession, group: Group) -> GroupShape:
    return shape(group, await groups.owner_guids(session, [group]))


def _membership_changed(session: AsyncSession, live: Services) -> None:
    """What anybody was remembered to be allowed may have changed."""

    async def told() -> None:
        live.on_credential_changed()

    after_commit(session, told)


@router.get("/v1/groups")
async def list_groups(*, sight: Shown, session: Reading, page: Paged, prefix: str = "") -> Page[GroupShape]:
    """Groups whose name begins with ``prefix``, by name."""
    found = await groups.find(session, prefix=prefix, among=sight.groups(), page=page.number, size=page.size)
    owners = await groups.owner_guids(session, found.rows)
    return page.of([shape(group, owners) for group in found.rows], found.total)


@router.get("/v1/groups/remote")
async def list_remote_groups(who: Known, page: Paged, prefix: str = "", limit: int = 0) -> Page[GroupShape]:  # noqa: ARG001
    """Groups of an external directory: there is none."""
    return page.of([], 0)


@router.post("/v1/groups", status_code=201)
async def create_group(
    who: Publisher, wanted: Annotated[NewGroupBody, edge.parsed(NewGroupBody)], live: Live, session: Writing
) -> GroupShape:
    """Make an empty group; it belongs to who made it."""
    group = await groups.create(session, wanted.name, who.user_id, live.clock.now())
    return await _shaped(session, group)


@router.put("/v1/groups")
async def add_remote_group(
    who: Publisher,  # noqa: ARG001
    wanted: Annotated[people.TicketBody, edge.parsed(people.TicketBody)],  # noqa: ARG001
) -> GroupShape:
    """Add a group found in an external directory: there is none, so every ticket is bad."""
    raise people.BadTicket


@router.get("/v1/groups/{guid}")
async def get_group(guid: str, sight: Shown, session: Reading) -> GroupShape:
    """One group."""
    return await _shaped(session, await _known(session, guid, sight))


async def _known(session: AsyncSession, guid: str, sight: Sight) -> Group:
    """Raises: NoSuchGroup, also when they may not know of it."""
    group = await groups.by_guid(session, guid)
    return sight.check_group(group, await groups.is_member(session, group, sight.who.user_id))


@router.delete("/v1/groups/{guid}", status_code=204)
async def delete_group(guid: str, live: Live, sight: Shown, session: Writing) -> Response:
    """Delete a group, and with it every permission it was given."""
    group = await _known(session, guid, sight)
    groups.check_may_change(sight.who, group)
    await session.delete(group)
    _membership_changed(session, live)
    return Response(status_code=204)


@router.get("/v1/groups/{guid}/members")
async def list_members(guid: str, sight: Shown, session: Reading, page: Paged) -> Page[people.PersonShape]:
    """The people in a group."""
    group = await _known(session, guid, sight)
    found = await groups.members(session, group, only=sight.only, page=page.number, size=page.size)
    return page.of([people.shape(user, sight) for user in found.rows], found.total)


@router.post("/v1/groups/{guid}/members", status_code=204)
async def add_member(
    guid: str,
    wanted: Annotated[MemberBody, edge.parsed(MemberBody)],
    live: Live,
    sight: Shown,
    session: Writing,
) -> Response:
    """Put somebody into a group."""
    group = await _known(session, guid, sight)
    groups.check_may_change(sight.who, group)
    await groups.add_member(session, group, await users.by_guid(session, wanted.user_guid))
    _membership_changed(session, live)
    return Response(status_code=204)


@router.delete("/v1/groups/{guid}/members/{user_guid}", status_code=204)
async def remove_member(guid: str, user_guid: str, live: Live, sight: Shown, session: Writing) -> Response:
    """Take somebody out of a group."""
    group = await _known(session, guid, sight)
    groups.check_may_change(sight.who, group)
    await groups.remove_member(session, group, await users.by_guid(session, user_guid))
    _membership_changed(session, live)
    return Response(status_code=204)


@router.get("/v1/experimental/groups/{guid}/content")
async def list_group_content(guid: str, who: Known, sight: Shown, session: Reading) -> list[ContentOfGroup]:
    """The content a group was given permissions on, as far as the caller may know of it."""
    group = await _known(session, guid, sight)
    wanted = sa.select(Item, Permission.role).join(Permission, Permission.item_id == Item.id)
    rows = await session.execute(wanted.where(Permission.group_id == group.id, visible_to(who)).order_by(Item.id))
    return [_content_row(item, role, group) for item, role in rows]


def _content_row(item: Item, role: str, group: Group) -> ContentOfGroup:
    given: GivenToGroup = {
        "principal_guid": group.guid,
        "principal_name": group.name,
        "principal_role": role,
        "principal_type": "group",
    }
    return {
        "content_guid": item.guid,
        "content_name": item.name,
        "content_title": item.title,
        "access_type": item.access_type,
        "permissions": [given],
    }
