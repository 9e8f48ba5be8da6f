"""OAuth integrations: what there is, and which content uses them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import Field
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Publisher, Reading, Writing
from rostra.api.subjects import Edited, Inspected
from rostra.clock import wire_time
from rostra.content import integrations
from rostra.content.access import visible_to
from rostra.content.integrations import Associated
from rostra.content.tables import Integration
from rostra.db.engine import transaction
from rostra.errors import Invalid
from rostra.wire import Guid, Id, Time, choice, one_of, text

router = Router()


class IntegrationPermissionBody(TypedDict, total=False):
    """One of the two."""

    user_guid: Annotated[Any, text(null=True)]
    group_guid: Annotated[Any, text(null=True)]


class IntegrationBody(TypedDict, total=False):
    """What is left out stays as it is, in ``config`` too. ``permissions``: who may use it; ``[]``: every publisher."""

    name: Annotated[Any, text(1, 255)]
    description: Annotated[Any, text(most=4096, null=True)]
    config: dict[str, Any]
    permissions: Annotated[list[IntegrationPermissionBody], Field(max_length=integrations.MOST_PERMISSIONS)]


class NewIntegrationBody(IntegrationBody, total=False):
    template: Required[Annotated[Any, choice(integrations.TEMPLATES)]]


class AssociationBody(TypedDict):
    oauth_integration_guid: str


New = Annotated[dict[str, Any], edge.parsed(dict[str, Any], NewIntegrationBody)]
Fields = Annotated[dict[str, Any], edge.parsed(dict[str, Any], IntegrationBody)]


class NothingToVerify(Invalid):
    code = "integration-not-verified"
    number = 240

    def __init__(self) -> None:
        super().__init__(
            "only an integration with an account of its own can be tried out",
            hint="Sign in to it as a visitor instead.",
        )


AuthType = Annotated[str, one_of((integrations.VIEWER, integrations.SERVICE, integrations.VISITOR_KEY))]
TemplateName = Annotated[str, one_of(integrations.TEMPLATES)]


class IntegrationPermission(TypedDict):
    """One of the two is null."""

    user_guid: Guid | None
    group_guid: Guid | None


class IntegrationShape(TypedDict):
    """``config`` has the fields of its template; what is secret in it is never given back.

    ``environment_variables`` is empty: no template here sets any.
    """

    id: Id
    guid: Guid
    created_time: Time
    updated_time: Time
    name: str
    description: str
    template: TemplateName
    auth_type: AuthType
    config: dict[str, Any]
    permissions: list[IntegrationPermission]
    environment_variables: list[str]


class AssociationShape(TypedDict):
    app_guid: Guid
    content_guid: Guid
    oauth_integration_guid: Guid
    oauth_integration_name: str
    oauth_integration_description: str
    oauth_integration_template: TemplateName
    oauth_integration_auth_type: AuthType
    created_time: Time


class TemplateShape(TypedDict):
    id: TemplateName
    name: str
    description: str
    auth_type: AuthType
    fields: list[str]
    options: list[str]


class Verified(TypedDict):
    status: Literal["ok"]


def shape(row: Integration) -> IntegrationShape:
    """Return an integration as clients know one; secrets are never in it."""
    return {
        "id": str(row.id),
        "guid": row.guid,
        "created_time": wire_time(row.created_at),
        "updated_time": wire_time(row.updated_at),
        "name": row.name,
        "description": row.description,
        "template": row.template,
        "auth_type": row.auth_type,
        "config": row.config,
        "permissions": row.permissions,
        "environment_variables": [],
    }


def associated(row: Associated) -> AssociationShape:
    return {
        "app_guid": row.item_guid,
        "content_guid": row.item_guid,
        "oauth_integration_guid": row.integration.guid,
        "oauth_integration_name": row.integration.name,
        "oauth_integration_description": row.integration.description,
        "oauth_integration_template": row.integration.template,
        "oauth_integration_auth_type": row.integration.auth_type,
        "created_time": wire_time(row.created_at),
    }


@router.get("/v1/oauth/templates")
async def list_templates(who: Publisher) -> list[TemplateShape]:  # noqa: ARG001
    """What integrations can be made from."""
    return [_template(one) for one in integrations.TEMPLATES.values()]


@router.get("/v1/oauth/templates/{key}")
async def get_template(key: str, who: Publisher) -> TemplateShape:  # noqa: ARG001
    """One template."""
    if key not in integrations.TEMPLATES:
        raise integrations.NoSuchIntegration(key)
    return _template(integrations.TEMPLATES[key])


def _template(one: integrations.Template) -> TemplateShape:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "auth_type": one.auth_type,
        "fields": list(one.fields),
        "options": [],
    }


@router.get("/v1/oauth/integrations")
async def list_integrations(who: Publisher, session: Reading) -> list[IntegrationShape]:
    """The integrations the caller may use, oldest first."""
    return [shape(row) for row in await integrations.listing(session, who)]


@router.post("/v1/oauth/integrations", status_code=201)
async def create_integration(who: Administrator, given: New, live: Live, session: Writing) -> IntegrationShape:  # noqa: ARG001
    """Record an integration; what is secret in its configuration is never given back."""
    return shape(await integrations.create(session, live.box, given, live.clock.now()))


@router.get("/v1/oauth/integrations/{guid}")
async def get_integration(guid: str, who: Publisher, session: Reading) -> IntegrationShape:
    """One integration."""
    return shape(await integrations.get_usable(session, who, guid))


@router.patch("/v1/oauth/integrations/{guid}")
async def change_integration(
    guid: str,
    who: Administrator,  # noqa: ARG001
    given: Fields,
    live: Live,
    session: Writing,
) -> IntegrationShape:
    """Change what is sent; of the configuration, the fields that are sent."""
    row = await integrations.get(session, guid)
    await integrations.change(session, live.box, row, given, live.clock.now())
    return shape(row)


@router.delete("/v1/oauth/integrations/{guid}", status_code=204)
async def delete_integration(guid: str, who: Administrator, session: Writing) -> Response:  # noqa: ARG001
    """Delete an integration; content cannot use it any more."""
    await session.delete(await integrations.get(session, guid))
    return Response(status_code=204)


@router.get("/v1/oauth/integrations/{guid}/associations")
async def list_integration_associations(guid: str, who: Publisher, session: Reading) -> list[AssociationShape]:
    """The content that uses an integration, as far as the caller may know of it."""
    row = await integrations.get_usable(session, who, guid)
    return [associated(one) for one in await integrations.of_integration(session, row, visible_to(who))]


@router.get("/v1/content/{guid}/oauth/integrations/associations")
async def list_content_associations(subject: Inspected) -> list[AssociationShape]:
    """The integrations the item uses."""
    return [associated(one) for one in await integrations.of_item(subject.session, subject.item)]


@router.put("/v1/content/{guid}/oauth/integrations/associations")
async def replace_content_associations(
    wanted: Annotated[list[dict[str, Any]], edge.parsed(list[dict[str, Any]], list[AssociationBody])],
    subject: Edited,
    who: Known,
    live: Live,
) -> list[AssociationShape]:
    """Let the item use these integrations and no others; ``[]`` clears them."""
    guids = [one.get("oauth_integration_guid") for one in wanted]
    await integrations.associate(subject.session, who, subject.item, guids, live.clock.now())
    return [associated(one) for one in await integrations.of_item(subject.session, subject.item)]


@router.post("/v1/oauth/integrations/{guid}/verify")
async def verify_integration(guid: str, who: Administrator, live: Live) -> Verified:  # noqa: ARG001
    """Ask the provider for a token of the integration's account, to see whether the configuration is right."""
    async with transaction(live.reading) as session:
        row = await integrations.get(session, guid)
    if row.auth_type != integrations.SERVICE or row.template in integrations.VENDORS_ONLY:
        raise NothingToVerify
    await live.oauth.of_account(row)
    return {"status": "ok"}
