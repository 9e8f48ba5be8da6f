"""The credentials that content is given through OAuth integrations, in exchange for a session token."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Literal, NotRequired
from urllib.parse import parse_qsl

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from typing_extensions import TypedDict

from rostra.api import bodies, edge
from rostra.api.answers import Router, takes
from rostra.api.edge import Known, Live
from rostra.api.services import Services
from rostra.api.subjects import load_to_edit
from rostra.auth import keys, users
from rostra.auth.principals import Principal, Role, lowered
from rostra.auth.tables import User
from rostra.content import integrations, session_tokens
from rostra.content.integrations import Associated
from rostra.content.oauth_tokens import LOGIN_PATH
from rostra.content.tables import Integration
from rostra.db.engine import transaction
from rostra.errors import Invalid
from rostra.wire import choice

router = Router()
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
