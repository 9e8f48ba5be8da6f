"""OAuth integrations: what there is, which content uses them, and the credentials content is given through them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, Required
from urllib.parse import parse_qsl

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import bodies, edge
from rostra.api.answers import Router, takes
from rostra.api.edge import Administrator, Known, Live, Publisher, Reading, Writing
from rostra.api.services import Services
from rostra.api.subjects import Edited, Inspected, load_to_edit
from rostra.auth import keys, users
from rostra.auth.principals import Principal, Role, lowered
from rostra.auth.tables import User
from rostra.clock import wire_time
from rostra.content import integrations, oauth_sessions, session_tokens
from rostra.content.access import visible_to
from rostra.content.integrations import Associated
from rostra.content.oauth_tokens import LOGIN_PATH
from rostra.content.tables import Integration, OAuthSession
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
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
USER_TOKEN = "urn:posit:connect:user-session-token"  # noqa: S105  (a name, not a secret)
CONTENT_TOKEN = "urn:posit:connect:content-session-token"  # noqa: S105
API_KEY = "urn:posit:connect:api-key"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
CONNECT = integrations.CONNECT
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


class WrongSubject(ExchangeRefused):
    code = "exchange-wrong-subject"
    number = 252

    def __init__(self, auth_type: str) -> None:
        wanted = CONTENT_TOKEN if auth_type == integrations.SERVICE else USER_TOKEN
        super().__init__(f"an integration of the kind {auth_type} takes another subject token", hint=f"Send {wanted}.")


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


class Credentials(TypedDict):
    """As RFC 8693 has it."""

    access_token: str
    issued_token_type: str
    token_type: Literal["Key", "Bearer"]


class ExchangeForm(TypedDict):
    """As RFC 8693 has it; ``audience`` is the guid of an integration, needed when the content has several."""

    grant_type: Literal["urn:ietf:params:oauth:grant-type:token-exchange"]
    subject_token: str
    subject_token_type: Annotated[str, choice((USER_TOKEN, CONTENT_TOKEN))]
    requested_token_type: NotRequired[Annotated[str, choice((API_KEY, ACCESS_TOKEN))]]
    audience: NotRequired[str]


class Verified(TypedDict):
    status: Literal["ok"]


class SessionShape(TypedDict):
    id: Id
    guid: Guid
    user_guid: Guid
    oauth_integration_guid: Guid
    has_refresh_token: bool
    created_time: Time
    updated_time: Time


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


class Connection(TypedDict):
    """``session_guid`` is null until the caller has signed in, which they do at ``login_path`` with a browser."""

    oauth_integration_guid: Guid
    oauth_integration_name: str
    oauth_integration_description: str
    session_guid: Guid | None
    connected_time: Time | None
    login_path: str


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


@router.post("/v1/oauth/integrations/credentials")
@takes(application__x_www_form_urlencoded=ExchangeForm)
async def exchange_credentials(request: Request, who: Known, live: Live) -> Credentials:
    """Exchange a session token of a visitor or of content for a credential of an integration (RFC 8693, as a form).

    A visitor's token gives an API key of the visitor, or the visitor's own access token of a provider; the content's
    own token gives the access token of the integration's account.
    """
    form = _form(await bodies.whole(request))
    if form.get("grant_type") != GRANT:
        raise ExchangeRefused("grant_type is not a token exchange", hint=f"Send {GRANT}.")
    asked = await _asked(live, who, form)
    wanted = form.get("requested_token_type") or (API_KEY if asked.integration.template == CONNECT else ACCESS_TOKEN)
    if asked.integration.template == CONNECT:
        return await _key_of_visitor(live, asked, wanted)
    if asked.integration.template in integrations.VENDORS_ONLY:
        raise NoHandler(
            f"{asked.integration.name} is only a record here", hint="Use an integration of another template."
        )
    if wanted != ACCESS_TOKEN:
        raise RequestedTokenType("that token cannot be had from this integration", hint=f"Ask for {ACCESS_TOKEN}.")
    if asked.visitor is None:
        token = await live.oauth.of_account(asked.integration)
    else:
        login = f"{str(request.base_url).rstrip('/').removesuffix(edge.MOUNT)}{LOGIN_PATH}{asked.integration.guid}"
        async with transaction(live.reading) as session:
            user = await _unlocked(session, asked.visitor)
        token = await live.oauth.of_visitor(asked.integration, user.id, login)
    return {"access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """``visitor`` is None when content asks for itself."""

    integration: Integration
    visitor: session_tokens.Visitor | None


async def _asked(live: Services, who: Principal, form: dict[str, str]) -> _Asked:
    kind, token, visitor = form.get("subject_token_type"), form.get("subject_token", ""), None
    fitting: tuple[str, ...]
    if kind == USER_TOKEN:
        visitor = session_tokens.read(live.box, token, live.clock.now())
        guid, fitting = visitor.item_guid, (integrations.VIEWER, integrations.VISITOR_KEY)
    elif kind == CONTENT_TOKEN:
        guid, fitting = session_tokens.read_for_content(live.box, token), (integrations.SERVICE,)
    else:
        raise SubjectTokenType(
            "this subject_token_type is not exchanged", hint=f"Send {USER_TOKEN} or {CONTENT_TOKEN}."
        )
    async with transaction(live.reading) as session:
        subject = await load_to_edit(session, live, who, guid)
        there = await integrations.of_item(session, subject.item)
    return _Asked(_chosen(there, form.get("audience", ""), fitting), visitor)


async def _key_of_visitor(live: Services, asked: _Asked, wanted: str) -> Credentials:
    if wanted != API_KEY or asked.visitor is None:
        raise RequestedTokenType("that token cannot be had from this integration", hint=f"Ask for {API_KEY}.")
    most = integrations.MAX_ROLES[asked.integration.config["max_role"]]
    async with transaction(live.sessions) as session:
        secret = await _visitor_key(session, live, asked.visitor, most)
    return {"access_token": secret, "issued_token_type": API_KEY, "token_type": "Key"}


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20))
    except ValueError as why:
        raise ExchangeRefused("the form cannot be read", hint="Send it URL-encoded.") from why


def _chosen(there: list[Associated], audience: str, fitting: tuple[str, ...]) -> Integration:
    """Return the integration that is meant; one whose account is of the sort the session token stands for."""
    if not there:
        raise NoAssociation("this content has no integration", hint="Associate one with it first.")
    if audience:
        found = next((row.integration for row in there if row.integration.guid == audience), None)
        if found is None:
            raise BadAudience("the audience is no integration of this content", hint="Send an associated one's guid.")
        if found.auth_type not in fitting:
            raise WrongSubject(found.auth_type)
        return found
    good = [row.integration for row in there if row.integration.auth_type in fitting]
    if not good:
        raise WrongSubject(there[0].integration.auth_type)
    if len(good) > 1:
        raise SeveralAssociations("this content has several integrations", hint="Name one as the audience.")
    return good[0]


async def _unlocked(session: AsyncSession, visitor: session_tokens.Visitor) -> User:
    user = await users.by_guid(session, visitor.user_guid)
    if user.locked:
        raise session_tokens.BadSessionToken
    return user


async def _visitor_key(session: AsyncSession, live: Live, visitor: session_tokens.Visitor, most: Role) -> str:
    """Return a new key of the visitor that may do no more than ``most`` and ends by itself."""
    user, now = await _unlocked(session, visitor), live.clock.now()
    await keys.forget_expired_visitors(session, now)
    cap = lowered(Role(user.role), most)
    return await keys.for_visitor(session, user.id, visitor.item_guid, now, cap=cap, expires_at=now + KEY_LIFETIME)


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


@router.get("/v1/oauth/connections")
async def list_connections(who: Known, session: Reading) -> list[Connection]:
    """The services that content the caller may open wants their account at, and whether they have signed in there."""
    rows = await oauth_sessions.wanted_of(session, who)
    return [_connection(integration, row) for integration, row in rows]


def _connection(integration: Integration, row: OAuthSession | None) -> Connection:
    return {
        "oauth_integration_guid": integration.guid,
        "oauth_integration_name": integration.name,
        "oauth_integration_description": integration.description,
        "session_guid": None if row is None else row.guid,
        "connected_time": None if row is None else wire_time(row.created_at),
        "login_path": f"{LOGIN_PATH}{integration.guid}",
    }


@router.get("/v1/oauth/sessions")
async def list_sessions(who: Known, session: Reading, all: bool = False) -> list[SessionShape]:  # noqa: A002
    """What the caller has signed in to; with ``all`` an administrator sees everybody's."""
    found = await oauth_sessions.listing(session, who, everybody=all)
    return [_session(*row) for row in found]


@router.get("/v1/oauth/sessions/{guid}")
async def get_session(guid: str, who: Known, session: Reading) -> SessionShape:
    """One session with a provider."""
    return _session(*await oauth_sessions.get(session, who, guid))


@router.delete("/v1/oauth/sessions/{guid}", status_code=204)
async def delete_session(guid: str, who: Known, session: Writing) -> Response:
    """End a session: its tokens are forgotten here, and the visitor signs in again when they are needed."""
    await session.delete((await oauth_sessions.get(session, who, guid))[0])
    return Response(status_code=204)


def _session(row: OAuthSession, user_guid: str, integration_guid: str) -> SessionShape:
    return {
        "id": str(row.id),
        "guid": row.guid,
        "user_guid": user_guid,
        "oauth_integration_guid": integration_guid,
        "has_refresh_token": row.has_refresh,
        "created_time": wire_time(row.created_at),
        "updated_time": wire_time(row.updated_at),
    }
