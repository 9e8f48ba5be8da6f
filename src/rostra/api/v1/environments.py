"""Execution environments: records of images, which clients look after. This server runs everything in place."""

from __future__ import annotations

from typing import Annotated, Any, Required

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge, matching
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Reading, Writing
from rostra.clock import wire_time
from rostra.content import image_environments
from rostra.content.image_environments import EnvironmentChanged
from rostra.content.tables import ImageEnvironment
from rostra.wire import Guid, Id, Time, choice, one_of, text

router = Router()

_Long = Annotated[Any, text(most=image_environments.LONGEST, null=True)]


class InstallationBody(TypedDict):
    path: Annotated[Any, text(1, 1024)]
    version: Annotated[Any, text(1, 1024)]


class InstallationsBody(TypedDict):
    installations: Annotated[list[InstallationBody], Field(max_length=100)]


class VolumeSourceBody(TypedDict, total=False):
    """``nfs`` needs ``nfs_host`` and ``nfs_export_path``, ``pvc`` needs ``pvc_name``."""

    volume_type: Required[Annotated[Any, choice(image_environments.VOLUMES)]]
    nfs_host: Annotated[Any, text(1, 1024, null=True)]
    nfs_export_path: Annotated[Any, text(1, 1024, null=True)]
    pvc_name: Annotated[Any, text(1, 1024, null=True)]


class VolumeTargetBody(TypedDict, total=False):
    path: Required[Annotated[Any, text(1, 1024)]]
    read_only: bool | None


class VolumeMountBody(TypedDict):
    source: VolumeSourceBody
    target: VolumeTargetBody


class EnvironmentBody(TypedDict, total=False):
    title: Annotated[Any, text(1, 255, null=True)]
    description: _Long
    matching: Annotated[Any, choice(image_environments.MATCHING, null=True)]
    supervisor: _Long
    python: InstallationsBody | None
    quarto: InstallationsBody | None
    r: InstallationsBody | None
    tensorflow: InstallationsBody | None
    volume_mounts: Annotated[list[VolumeMountBody], Field(max_length=image_environments.MOST_MOUNTS)] | None


class NewEnvironmentBody(EnvironmentBody, total=False):
    """``name`` is the image's."""

    name: Required[Annotated[Any, text(1, 255)]]
    cluster_name: Annotated[Any, text(most=255, null=True)]


class EnvironmentPermissionBody(TypedDict, total=False):
    """One of the two."""

    user_guid: Annotated[Any, text(1, 64, null=True)]
    group_guid: Annotated[Any, text(1, 64, null=True)]


New = Annotated[dict[str, Any], edge.parsed(dict[str, Any], NewEnvironmentBody)]
Fields = Annotated[dict[str, Any], edge.parsed(dict[str, Any], EnvironmentBody)]
Given = Annotated[dict[str, Any], edge.parsed(dict[str, Any], EnvironmentPermissionBody)]


class ImageInstallation(TypedDict):
    path: str
    version: str


class ImageInstallations(TypedDict):
    installations: list[ImageInstallation]


class VolumeSource(TypedDict):
    volume_type: Annotated[str, one_of(image_environments.VOLUMES)]
    nfs_host: str | None
    nfs_export_path: str | None
    pvc_name: str | None


class VolumeTarget(TypedDict):
    path: str
    read_only: bool


class VolumeMount(TypedDict):
    source: VolumeSource
    target: VolumeTarget


class EnvironmentShape(TypedDict):
    """``managed_by`` is null: none comes from a configuration file."""

    id: Id
    guid: Guid
    created_time: Time
    updated_time: Time
    title: str | None
    description: str | None
    cluster_name: str
    name: str
    environment_type: str
    matching: Annotated[str, one_of(image_environments.MATCHING)]
    supervisor: str | None
    managed_by: None
    python: ImageInstallations | None
    quarto: ImageInstallations | None
    r: ImageInstallations | None
    tensorflow: ImageInstallations | None
    volume_mounts: list[VolumeMount]


class EnvironmentPermissionShape(TypedDict):
    """One of ``user_guid`` and ``group_guid`` is null."""

    id: Id
    guid: Guid
    environment_guid: Guid
    user_guid: Guid | None
    group_guid: Guid | None


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
        "managed_by": None,
        "python": row.fields["python"],
        "quarto": row.fields["quarto"],
        "r": row.fields["r"],
        "tensorflow": row.fields["tensorflow"],
        "volume_mounts": row.fields.get("volume_mounts", []),
    }


def _permitted(row: ImageEnvironment, one: dict[str, Any]) -> EnvironmentPermissionShape:
    return {
        "id": one["id"],
        "guid": one["guid"],
        "environment_guid": row.guid,
        "user_guid": one["user_guid"],
        "group_guid": one["group_guid"],
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
    return [_permitted(row, one) for one in image_environments.permissions(row)]


@router.post("/v1/environments/{guid}/permissions", status_code=201)
async def add_environment_permission(
    guid: str,
    who: Administrator,  # noqa: ARG001
    given: Given,
    session: Writing,
) -> EnvironmentPermissionShape:
    """Let a person or a group use it."""
    row = await image_environments.get(session, guid)
    made = await image_environments.permit(session, row, given.get("user_guid"), given.get("group_guid"))
    return _permitted(row, made)


@router.delete("/v1/environments/{guid}/permissions/{permission_guid}", status_code=204)
async def delete_environment_permission(
    guid: str,
    permission_guid: str,
    who: Administrator,  # noqa: ARG001
    session: Writing,
) -> Response:
    """Take a permission away."""
    row = await image_environments.get(session, guid)
    await image_environments.forbid(session, row, permission_guid)
    return Response(status_code=204)
