"""Execution environments: records of images, which clients look after. This server runs everything in place."""

from __future__ import annotations

from typing import Annotated, Any

from starlette.requests import Request
from starlette.responses import Response

from rostra.api import edge, matching
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Reading, Writing
from rostra.clock import wire_time
from rostra.content import image_environments
from rostra.content.image_environments import EnvironmentChanged, EnvironmentPermission, NoSuchEnvironment
from rostra.content.tables import ImageEnvironment
from rostra.ids import new_guid

router = Router()

Fields = Annotated[dict[str, Any], edge.parsed(dict[str, Any])]


def shape(row: ImageEnvironment) -> dict[str, Any]:
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
        **{name: row.fields[name] for name in image_environments.RUNTIMES},
    }


@router.get("/v1/environments")
async def list_environments(who: Known, session: Reading) -> list[dict[str, Any]]:  # noqa: ARG001
    """All execution environments, oldest first."""
    return [shape(row) for row in await image_environments.listing(session)]


@router.post("/v1/environments", status_code=201)
async def create_environment(who: Administrator, given: Fields, live: Live, session: Writing) -> dict[str, Any]:  # noqa: ARG001
    """Record an execution environment."""
    return shape(await image_environments.create(session, given, live.clock.now()))


@router.get("/v1/environments/{guid}")
async def get_environment(guid: str, who: Known, session: Reading, response: Response) -> dict[str, Any]:  # noqa: ARG001
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
) -> dict[str, Any]:
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
async def list_environment_permissions(guid: str, who: Administrator, session: Reading) -> list[dict[str, Any]]:  # noqa: ARG001
    """Who may use an execution environment; nobody listed: everybody."""
    row = await image_environments.get(session, guid)
    return [{**given, "environment_guid": row.guid} for given in row.fields.get("permissions", [])]


@router.post("/v1/environments/{guid}/permissions", status_code=201)
async def add_environment_permission(
    guid: str,
    who: Administrator,  # noqa: ARG001
    given: Fields,
    session: Writing,
) -> dict[str, Any]:
    """Let a person or a group use it."""
    row = await image_environments.get(session, guid)
    principal, kind = given.get("principal_guid"), given.get("principal_type", "user")
    if not isinstance(principal, str) or not 1 <= len(principal) <= 64 or kind not in ("user", "group"):
        raise EnvironmentPermission
    made = {"guid": new_guid(), "principal_guid": principal, "principal_type": kind}
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
