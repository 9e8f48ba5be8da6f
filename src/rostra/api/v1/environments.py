"""Execution environments: records of images, which clients look after. This server runs everything in place."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge, matching
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Reading, Writing
from rostra.clock import wire_time
from rostra.content import image_environments
from rostra.content.image_environments import EnvironmentChanged, EnvironmentPermission, NoSuchEnvironment
from rostra.content.tables import ImageEnvironment
from rostra.ids import new_guid
from rostra.wire import Guid, Id, Time, choice, one_of, text

router = Router()

_Long = Annotated[Any, text(most=image_environments.LONGEST, null=True)]


class InstallationBody(TypedDict):
    path: Annotated[Any, text(1, 1024)]
    version: Annotated[Any, text(1, 1024)]


class InstallationsBody(TypedDict):
    installations: Annotated[list[InstallationBody], Field(max_length=100)]


class EnvironmentBody(TypedDict, total=False):
    title: Required[Annotated[Any, text(1, 255)]]
    description: _Long
    matching: Annotated[Any, choice(image_environments.MATCHING, null=True)]
    supervisor: _Long
    python: InstallationsBody | None
    quarto: InstallationsBody | None
    r: InstallationsBody | None
    tensorflow: InstallationsBody | None


class NewEnvironmentBody(EnvironmentBody, total=False):
    """``name`` is the image's."""

    name: Required[Annotated[Any, text(1, 255)]]
    cluster_name: Annotated[Any, text(most=255, null=True)]


class EnvironmentPermissionBody(TypedDict, total=False):
    principal_guid: Required[Annotated[Any, text(1, 64)]]
    principal_type: Annotated[Any, choice(("user", "group"))]


New = Annotated[dict[str, Any], edge.parsed(dict[str, Any], NewEnvironmentBody)]
Fields = Annotated[dict[str, Any], edge.parsed(dict[str, Any], EnvironmentBody)]
Given = Annotated[dict[str, Any], edge.parsed(dict[str, Any], EnvironmentPermissionBody)]


class ImageInstallation(TypedDict):
    path: str
    version: str


class ImageInstallations(TypedDict):
    installations: list[ImageInstallation]


class EnvironmentShape(TypedDict):
    id: Id
    guid: Guid
    created_time: Time
    updated_time: Time
    title: str
    description: str | None
    cluster_name: str
    name: str
    environment_type: str
    matching: Annotated[str, one_of(image_environments.MATCHING)]
    supervisor: str | None
    python: ImageInstallations | None
    quarto: ImageInstallations | None
    r: ImageInstallations | None
    tensorflow: ImageInstallations | None


class _Given(TypedDict):
    guid: Guid
    principal_guid: str
    principal_type: Literal["user", "group"]


class EnvironmentPermissionShape(_Given):
    environment_guid: Guid


def shape(row: ImageEnvironment) -> EnvironmentShape:
    return {
        "id": str(row.id),
        "guid": row.guid,
        "created_time": wire_time(row.created_at),
        "updated_time": wire_time(row.updated_at),
        "title": row.fields["title"],
        "description": row.fields["description"],
        "cluster_name": row.cluster_name,
        "name": row.name,
        "environment_type": row.cluster_name,
        "matching": row.fields["matching"],
        "supervisor": row.fields["supervisor"],
        "python": row.fields["python"],
        "quarto": row.fields["quarto"],
        "r": row.fields["r"],
        "tensorflow": row.fields["tensorflow"],
    }


@router.get("/v1/environments")
async def list_environments(who: Known, session: Reading) -> list[EnvironmentShape]:  # noqa: ARG001
    """All execution environments, oldest first."""
    return [shape(row) for row in await image_environments.listing(session)]


@router.post("/v1/environments", status_code=201)
async def create_environment(who: Administrator, given: New, live: Live, session: Writing) -> EnvironmentShape:  # noqa: ARG001
    """Record an execution environment."""
    return shape(await image_environments.create(session, given, live.clock.now()))


@router.get("/v1/environments/{guid}")
async def get_environment(guid: str, who: Known, session: Reading, response: Response) -> EnvironmentShape:  # noqa: ARG001
    """One execution environment; ``ETag`` marks its present state for ``If-Match``."""
    row = await image_environments.get(session, guid)
    matching.tell(response, _state(row))
    return shape(row)


def _state(row: ImageEnvironment) -> str:
    return matching.mark((row.guid, row.updated_at, sorted(row.fields.items(), key=str)))


@router.put("/v1/environments/{guid}")
async def replace_environment(
    *,
    guid: str,
    who: Administrator,  # noqa: ARG001
    given: Fields,
    live: Live,
    session: Writing,
    request: Request,
    response: Response,
) -> EnvironmentShape:
    """Replace everything but its name and cluster; with ``If-Match`` only while nobody else has."""
    row = await image_environments.get(session, guid)
    matching.require(request, _state(row), EnvironmentChanged)
    await image_environments.replace(session, row, given, live.clock.now())
    matching.tell(response, _state(row))
    return shape(row)


@router.delete("/v1/environments/{guid}", status_code=204)
async def delete_environment(guid: str, who: Administrator, session: Writing) -> Response:  # noqa: ARG001
    """Forget an execution environment."""
    await session.delete(await image_environments.get(session, guid))
    return Response(status_code=204)


@router.get("/v1/environments/{guid}/permissions")
async def list_environment_permissions(
    guid: str,
    who: Administrator,  # noqa: ARG001
    session: Reading,
) -> list[EnvironmentPermissionShape]:
    """Who may use an execution environment; nobody listed: everybody."""
    row = await image_environments.get(session, guid)
    there: list[_Given] = row.fields.get("permissions", [])
    return [{**given, "environment_guid": row.guid} for given in there]


@router.post("/v1/environments/{guid}/permissions", status_code=201)
async def add_environment_permission(
    guid: str,
    who: Administrator,  # noqa: ARG001
    given: Given,
    session: Writing,
) -> EnvironmentPermissionShape:
    """Let a person or a group use it."""
    row = await image_environments.get(session, guid)
    principal, kind = given.get("principal_guid"), given.get("principal_type", "user")
    if not isinstance(principal, str) or not 1 <= len(principal) <= 64 or kind not in ("user", "group"):
        raise EnvironmentPermission
    made: _Given = {"guid": new_guid(), "principal_guid": principal, "principal_type": kind}
    row.fields = {**row.fields, "permissions": [*row.fields.get("permissions", []), made]}
    return {**made, "environment_guid": row.guid}


@router.delete("/v1/environments/{guid}/permissions/{permission_guid}", status_code=204)
async def delete_environment_permission(
    guid: str,
    permission_guid: str,
    who: Administrator,  # noqa: ARG001
    session: Writing,
) -> Response:
    """Take a permission away."""
    row = await image_environments.get(session, guid)
    there = row.fields.get("permissions", [])
    left = [one for one in there if one["guid"] != permission_guid]
    if len(left) == len(there):
        raise NoSuchEnvironment(permission_guid)
    row.fields = {**row.fields, "permissions": left}
    return Response(status_code=204)
