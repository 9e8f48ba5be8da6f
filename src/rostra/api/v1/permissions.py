"""Who was given what on an item. The owner is never listed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.subjects import Edited, Inspected, Subject
from rostra.content import audit_log, permissions
from rostra.content.access import Grant
from rostra.content.errors import PermissionNotFound
from rostra.content.permissions import Granted, Kind
from rostra.wire import Guid, Id, choice, one_of, text

router = Router()


class PermissionBody(BaseModel):
    principal_guid: Annotated[Any, text(1)] = None
    principal_type: Annotated[Any, choice(Kind)] = "user"
    role: Annotated[Any, choice(Grant)] = None


Wanted = Annotated[PermissionBody, edge.parsed(PermissionBody)]


class PermissionShape(TypedDict):
    """``owner`` is a collaborator; the owner has no permission."""

    id: Id
    content_guid: Guid
    principal_guid: Guid
    principal_type: Annotated[str, one_of(Kind)]
    role: Annotated[str, one_of(Grant)]


def shape(granted: Granted, guid: str) -> PermissionShape:
    return {
        "id": str(granted.id),
        "content_guid": guid,
        "principal_guid": granted.guid,
        "principal_type": granted.kind.value,
        "role": granted.role.value,
    }


def _number(permission_id: str) -> int:
    if not (permission_id.isascii() and permission_id.isdecimal()) or len(permission_id) > 18:
        raise PermissionNotFound(permission_id)
    return int(permission_id)


@router.get("/v1/content/{guid}/permissions")
async def list_permissions(subject: Inspected) -> list[PermissionShape]:
    """Everybody who was given something, oldest first."""
    return [shape(granted, subject.guid) for granted in await permissions.listing(subject.session, subject.item)]


@router.post(
    "/v1/content/{guid}/permissions", status_code=201, responses={200: {"description": "They had one already"}}
)
async def add_permission(wanted: Wanted, subject: Edited, response: Response) -> PermissionShape:
    """Give a person or a group the role of viewer or owner (collaborator); 200 when they had one already."""
    granted, new = await permissions.give(
        subject.session, subject.item, wanted.principal_guid, wanted.role, principal_type=wanted.principal_type
    )
    subject.changed()
    response.status_code = 201 if new else 200
    return shape(granted, subject.guid)


@router.get("/v1/content/{guid}/permissions/{permission_id}")
async def get_permission(permission_id: str, subject: Inspected) -> PermissionShape:
    """One permission."""
    return await _one(subject, permission_id)


async def _one(subject: Subject, permission_id: str) -> PermissionShape:
    return shape(await permissions.get(subject.session, subject.item, _number(permission_id)), subject.guid)


@router.put("/v1/content/{guid}/permissions/{permission_id}")
async def change_permission(permission_id: str, wanted: Wanted, subject: Edited) -> PermissionShape:
    """Change the role; who it is for stays as it is."""
    granted = await permissions.change(
        subject.session,
        subject.item,
        _number(permission_id),
        user_guid=wanted.principal_guid,
        role=wanted.role,
        principal_type=wanted.principal_type,
    )
    subject.changed()
    return shape(granted, subject.guid)


@router.delete("/v1/content/{guid}/permissions/{permission_id}", status_code=204)
async def delete_permission(permission_id: str, subject: Edited) -> Response:
    """Take a permission away."""
    taken = await permissions.get(subject.session, subject.item, _number(permission_id))
    await permissions.take(subject.session, subject.item, taken.id)
    audit_log.note(subject.session, taken_from=taken.name, role=taken.role.value)
    subject.changed()
    return Response(status_code=204)
