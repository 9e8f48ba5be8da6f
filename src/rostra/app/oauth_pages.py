"""Where a visitor signs in to the provider of an integration, and where the provider sends the browser back to."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from rostra.app.desk import Desk
from rostra.auth.principals import Principal, Via
from rostra.content import integrations, oauth_provider
from rostra.content.errors import VariablesLocked
from rostra.content.oauth_tokens import CALLBACK_PATH, LOGIN_PATH, OAuthTokens, provider_of
from rostra.db.engine import transaction
from rostra.errors import Forbidden, Invalid
from rostra.ids import new_secret
from rostra.web.app import explained
from rostra.web.pages import sign_in_needed
from rostra.web.responses import redirect
from rostra.web.returning import safe_return

_PURPOSE = "oauth-login"
_PATIENCE = dt.timedelta(minutes=15)  # for signing in at the provider

Endpoint = Callable[[Request, Principal], Awaitable[Response]]


class BadState(Invalid):
    code = "oauth-bad-state"
    number = 218

    def __init__(self) -> None:
        super().__init__("this answer does not belong to a sign-in of yours", hint="Open the content and begin again.")


class SignInRefused(Invalid):
    code = "oauth-sign-in-refused"
    number = 230

    def __init__(self, error: str) -> None:
        super().__init__(f"the provider did not let you in: {error[:200]}", hint="Open the content and begin again.")


class NeedsBrowser(Forbidden):
    code = "oauth-needs-browser"

    def __init__(self) -> None:
        super().__init__("people sign in to providers with a browser", hint="Open the address in a browser.")


@dataclass(frozen=True, slots=True)
class OAuthPages:
    desk: Desk
    tokens: OAuthTokens

    def routes(self) -> list[BaseRoute]:
        table: tuple[tuple[str, Endpoint], ...] = (
            (f"{LOGIN_PATH}{{guid:str}}", self._login),
            (CALLBACK_PATH, self._back),
        )
        return [
            Route(path, explained(self.desk, self._signed_in(endpoint)), methods=["GET"]) for path, endpoint in table
        ]

    def _signed_in(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            who = await self.desk.principal(request)
            if who is None:
                return sign_in_needed(self.desk.site, request)
            if who.via is not Via.session:
                raise NeedsBrowser
            return await endpoint(request, who)

        return guarded

    async def _login(self, request: Request, who: Principal) -> Response:
        """Send the browser to the provider. The state says, encrypted, whose sign-in this is and where it ends."""
        async with transaction(self.desk.tools.reading) as session:
            row = await integrations.get(session, request.path_params["guid"])
        if row.auth_type != integrations.VIEWER:
            raise integrations.NotForVisitors(row.name)
        until = int((self.desk.clock.now() + _PATIENCE).timestamp())
        verifier = new_secret()
        told = json.dumps([who.guid, row.guid, verifier, self._after(request), until])
        state = self.tokens.box.close(0, _PURPOSE, told)
        found = provider_of(self.tokens.box, row)
        return redirect(
            oauth_provider.authorization_url(found, redirect_uri=self._callback(), state=state, verifier=verifier)
        )

    async def _back(self, request: Request, who: Principal) -> Response:
        asked = request.query_params
        guid, verifier, after = self._state(asked.get("state", ""), who)
        if "code" not in asked:
            raise SignInRefused(asked.get("error_description") or asked.get("error") or "it gave no reason")
        async with transaction(self.desk.tools.reading) as session:
            row = await integrations.get(session, guid)
        found = provider_of(self.tokens.box, row)
        tokens = await oauth_provider.by_code(
            found, code=asked["code"], redirect_uri=self._callback(), verifier=verifier
        )
        await self.tokens.keep(row, who.user_id, tokens)
        return redirect(after)

    def _state(self, state: str, who: Principal) -> tuple[str, str, str]:
        """Raises: BadState, also when somebody else began: an answer must not connect a victim to another's account."""
        try:
            user, guid, verifier, after, until = json.loads(self.tokens.box.open(0, _PURPOSE, state))
        except (VariablesLocked, ValueError, UnicodeError) as why:
            raise BadState from why
        if user != who.guid or self.desk.clock.now().timestamp() > until:
            raise BadState
        return guid, verifier, after

    def _after(self, request: Request) -> str:
        parts = urlsplit(self.desk.tools.server_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return safe_return(request.query_params.get("url"), origin=origin, fallback=self.desk.site.page())

    def _callback(self) -> str:
        return self.desk.tools.server_url + CALLBACK_PATH
