"""OAuth integrations: records of them, which content uses them, and visitors' API keys for content."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from rostra.api import bodies, edge
from rostra.api.edge import Administrator, Known, Live, Publisher, Reading, Writing
from rostra.api.subjects import Edited, Inspected, load_to_edit
from rostra.auth import keys, users
from rostra.auth.principals import Role, lowered
from rostra.clock import wire_time
from rostra.content import integrations, session_tokens
from rostra.content.access import visible_to
from rostra.content.integrations import Associated
from rostra.content.tables import Integration
from rostra.errors import Invalid, NotFound

router = APIRouter()

Fields = Annotated[dict[str, Any], edge.parsed(dict[str, Any])]
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
USER_TOKEN = "urn:posit:connect:user-session-token"  # noqa: S105  (a name, not a secret)
CONTENT_TOKEN = "urn:posit:connect:content-session-token"  # noqa: S105
API_KEY = "urn:posit:connect:api-key"
KEY_LIFETIME = dt.timedelta(hours=1)


class ExchangeRefused(Invalid):
    """The grant is not a token exchange."""

    code = "exchange-grant"
    number = 213


class SubjectTokenType(ExchangeRefused):
    code = "exchange-subject-token-type"
    number = 214


class RequestedTokenType(ExchangeRefused):
    code = "exchange-requested-token-type"
    number = 242


class NoAssociation(ExchangeRefused):
    """Apps branch on this number: the content may not use any integration."""

    code = "exchange-no-association"
    number = 212


class BadAudience(ExchangeRefused):
    code = "exchange-audience"
    number = 256


class SeveralAssociations(ExchangeRefused):
    code = "exchange-association-count"
    number = 257


class NoHandler(ExchangeRefused):
    """This server does not talk to that provider."""

    code = "exchange-no-handler"
    number = 250


class NoSuchOAuthSession(NotFound):
    code = "no-such-oauth-session"
    number = 220

    def __init__(self) -> None:
        super().__init__("there is no such session", hint="This server keeps no sessions with other providers.")


def shape(row: Integration) -> dict[str, Any]:
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
    }


def associated(row: Associated) -> dict[str, Any]:
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
async def list_templates(who: Publisher) -> list[dict[str, Any]]:  # noqa: ARG001
    """What integrations can be made from."""
    return [_template(one) for one in integrations.TEMPLATES.values()]


@router.get("/v1/oauth/templates/{key}")
async def get_template(key: str, who: Publisher) -> dict[str, Any]:  # noqa: ARG001
    """One template."""
    if key not in integrations.TEMPLATES:
        raise integrations.NoSuchIntegration(key)
    return _template(integrations.TEMPLATES[key])


def _template(one: integrations.Template) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "auth_type": one.auth_type, "fields": list(one.fields)}


@router.get("/v1/oauth/integrations")
async def list_integrations(who: Publisher, session: Reading) -> list[dict[str, Any]]:  # noqa: ARG001
    """All integrations, oldest first."""
    return [shape(row) for row in await integrations.listing(session)]


@router.post("/v1/oauth/integrations", status_code=201)
async def create_integration(who: Administrator, given: Fields, live: Live, session: Writing) -> dict[str, Any]:  # noqa: ARG001
    """Record an integration; what is secret in its configuration is never given back."""
    return shape(await integrations.create(session, live.box, given, live.clock.now()))


@router.post("/v1/oauth/integrations/credentials")
async def exchange_credentials(request: Request, who: Known, live: Live, session: Writing) -> dict[str, str]:
    """Exchange a visitor's session token for a short-lived API key of that visitor (RFC 8693, as a form)."""
    form = _form(await bodies.whole(request))
    if form.get("grant_type") != GRANT:
        raise ExchangeRefused("grant_type is not a token exchange", hint=f"Send {GRANT}.")
    if form.get("subject_token_type") != USER_TOKEN:
        raise SubjectTokenType("this subject_token_type is not exchanged", hint=f"Send {USER_TOKEN}.")
    visitor = session_tokens.read(live.box, form.get("subject_token", ""), live.clock.now())
    subject = await load_to_edit(session, live, who, visitor.item_guid)
    used = _chosen(await integrations.of_item(session, subject.item), form.get("audience", ""))
    if used.template != integrations.CONNECT:
        raise NoHandler(f"{used.name} is only a record here", hint="Use an integration of the template connect.")
    if form.get("requested_token_type", API_KEY) != API_KEY:
        raise RequestedTokenType("that token cannot be had from this integration", hint=f"Ask for {API_KEY}.")
    most = integrations.MAX_ROLES[used.config["max_role"]]
    secret = await _visitor_key(session, live, visitor, most)
    return {"access_token": secret, "issued_token_type": API_KEY, "token_type": "Key"}


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20))
    except ValueError as why:
        raise ExchangeRefused("the form cannot be read", hint="Send it URL-encoded.") from why


def _chosen(there: list[Associated], audience: str) -> Integration:
    if not there:
        raise NoAssociation("this content has no integration", hint="Associate one with it first.")
    if audience:
        found = next((row.integration for row in there if row.integration.guid == audience), None)
        if found is None:
            raise BadAudience("the audience is no integration of this content", hint="Send an associated one's guid.")
        return found
    if len(there) > 1:
        raise SeveralAssociations("this content has several integrations", hint="Name one as the audience.")
    return there[0].integration


async def _visitor_key(session: AsyncSession, live: Live, visitor: session_tokens.Visitor, most: Role) -> str:
    """Return a new key of the visitor that may do no more than ``most`` and ends by itself."""
    user, now = await users.by_guid(session, visitor.user_guid), live.clock.now()
    if user.locked:
        raise session_tokens.BadSessionToken
    await keys.forget_expired_visitors(session, now)
    cap = lowered(Role(user.role), most)
    return await keys.for_visitor(session, user.id, visitor.item_guid, now, cap=cap, expires_at=now + KEY_LIFETIME)


@router.get("/v1/oauth/integrations/{guid}")
async def get_integration(guid: str, who: Publisher, session: Reading) -> dict[str, Any]:  # noqa: ARG001
    """One integration."""
    return shape(await integrations.get(session, guid))


@router.patch("/v1/oauth/integrations/{guid}")
async def change_integration(
    guid: str,
    who: Administrator,  # noqa: ARG001
    given: Fields,
    live: Live,
    session: Writing,
) -> dict[str, Any]:
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
async def list_integration_associations(guid: str, who: Publisher, session: Reading) -> list[dict[str, Any]]:
    """The content that uses an integration, as far as the caller may know of it."""
    row = await integrations.get(session, guid)
    return [associated(one) for one in await integrations.of_integration(session, row, visible_to(who))]


@router.get("/v1/content/{guid}/oauth/integrations/associations")
async def list_content_associations(subject: Inspected) -> list[dict[str, Any]]:
    """The integrations the item uses."""
    return [associated(one) for one in await integrations.of_item(subject.session, subject.item)]


@router.put("/v1/content/{guid}/oauth/integrations/associations")
async def replace_content_associations(
    wanted: Annotated[list[dict[str, Any]], edge.parsed(list[dict[str, Any]])], subject: Edited, live: Live
) -> list[dict[str, Any]]:
    """Let the item use these integrations and no others; ``[]`` clears them."""
    guids = [one.get("oauth_integration_guid") for one in wanted]
    await integrations.associate(subject.session, subject.item, guids, live.clock.now())
    return [associated(one) for one in await integrations.of_item(subject.session, subject.item)]


@router.get("/v1/oauth/sessions")
async def list_sessions(who: Known) -> list[dict[str, Any]]:  # noqa: ARG001
    """Sessions with other providers: this server keeps none."""
    return []


@router.get("/v1/oauth/sessions/{guid}")
@router.delete("/v1/oauth/sessions/{guid}")
async def get_session(guid: str, who: Known) -> dict[str, Any]:  # noqa: ARG001
    """One session with another provider: there is none."""
    raise NoSuchOAuthSession
