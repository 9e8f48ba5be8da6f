"""Gives content the access tokens of its integrations: a visitor's own, or that of the integration's account.

One object for each server process. Requests for the same token wait for each other: many providers end a session whose
refresh token is used twice. Servers on one database do not wait for each other; the one that comes second takes what
the first was given. A provider that ends the whole session then makes the visitor sign in again, as it means to.
No transaction is open while a provider is asked.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from rostra.clock import Clock
from rostra.content import oauth_provider, oauth_sessions
from rostra.content.oauth_provider import Provider, TokenRefused, Tokens
from rostra.content.oauth_sessions import EARLY, NotConnected
from rostra.content.tables import Integration
from rostra.content.variables import Box
from rostra.db.engine import Sessions, transaction
from rostra.errors import Invalid

LOGIN_PATH = "/__oauth__/integrations/login/"
CALLBACK_PATH = "/__oauth__/integrations/callback"
_MOMENTS = (0.0, 0.2, 0.5, 1.0)  # seconds between looks for what another server was given
_SHORTEST = 30.0  # seconds; a token the provider does not date is asked for again after this


class RefreshFailed(Invalid):
    code = "oauth-refresh-failed"
    number = 219

    def __init__(self, name: str, login_url: str) -> None:
        super().__init__(f"the visitor's session with {name} has ended", hint=f"Send the visitor to {login_url}")


def provider_of(box: Box, row: Integration) -> Provider:
    """Raises: ProviderConfig, VariablesLocked."""
    secrets: dict[str, Any] = {} if row.secrets is None else json.loads(box.open(0, row.guid, row.secrets))
    return oauth_provider.provider({**row.config, **secrets})


@dataclass(slots=True)
class OAuthTokens:
    sessions: Sessions
    reading: Sessions
    box: Box
    clock: Clock
    _locks: dict[tuple[int, int], asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _accounts: dict[int, tuple[str, dt.datetime, dt.datetime]] = field(default_factory=dict)

    async def of_account(self, integration: Integration) -> str:
        """Return an access token of the integration's own account (client credentials).

        Raises:
            ProviderConfig, TokenRefused, ProviderUnavailable
        """
        async with self._alone(integration.id, 0):
            kept = self._accounts.get(integration.id)
            if kept and kept[1] == integration.updated_at and kept[2] > self.clock.now():
                return kept[0]
            tokens = await oauth_provider.of_client(provider_of(self.box, integration))
            good = max(0.0, (tokens.lifetime or _SHORTEST) - EARLY.total_seconds())
            until = self.clock.now() + dt.timedelta(seconds=min(good, 86_400.0))
            self._accounts[integration.id] = (tokens.access, integration.updated_at, until)
            return tokens.access

    async def of_visitor(self, integration: Integration, user_id: int, login_url: str) -> str:
        """Return an access token of the visitor, made anew with the stored refresh token when it has ended.

        Raises:
            NotConnected, RefreshFailed, ProviderConfig, ProviderUnavailable
        """
        async with self._alone(integration.id, user_id):
            async with transaction(self.reading) as session:
                row = await oauth_sessions.find(session, integration, user_id)
            if row is None:
                raise NotConnected(integration.name, login_url)
            access, refresh = oauth_sessions.opened(self.box, row)
            if oauth_sessions.is_fresh(row, self.clock.now()):
                return access
            tokens, new = await self._refreshed(integration, user_id, refresh, login_url)
            if new:
                await self._keep(integration, user_id, tokens)
            return tokens.access

    async def _refreshed(
        self, integration: Integration, user_id: int, refresh: str | None, login_url: str
    ) -> tuple[Tokens, bool]:
        """Return tokens, and whether they are to be kept.

        The session is of no more use when the provider says so, and is forgotten then; unless another server on the
        same database was quicker, whose refresh made this one's token old.
        """
        try:
            if refresh is None:
                raise TokenRefused("invalid_grant")
            return await oauth_provider.by_refresh(provider_of(self.box, integration), refresh), True
        except TokenRefused as why:
            if why.error != "invalid_grant":
                raise
            found = await self._of_another_server(integration, user_id, refresh)
            if found is not None:
                return found, False
            async with transaction(self.sessions) as session:
                row = await oauth_sessions.find(session, integration, user_id)
                if row is not None and oauth_sessions.opened(self.box, row)[1] == refresh:
                    await session.delete(row)
            raise RefreshFailed(integration.name, login_url) from why

    async def _of_another_server(self, integration: Integration, user_id: int, refresh: str | None) -> Tokens | None:
        """Return what another server was given for the same refresh token a moment ago; None when nobody was.

        It may have been given it and not have written it down yet.
        """
        for pause in _MOMENTS if refresh is not None else ():
            await asyncio.sleep(pause)
            async with transaction(self.reading) as session:
                row = await oauth_sessions.find(session, integration, user_id)
            if row is None:
                return None
            access, other = oauth_sessions.opened(self.box, row)
            if other != refresh and oauth_sessions.is_fresh(row, self.clock.now()):
                return Tokens(access=access, refresh=None, lifetime=None)
        return None

    async def keep(self, integration: Integration, user_id: int, tokens: Tokens) -> None:
        """Write down what a sign-in gave. One that is refreshed meanwhile may be found ended; this one must stay."""
        async with self._alone(integration.id, user_id):
            await self._keep(integration, user_id, tokens)

    async def _keep(self, integration: Integration, user_id: int, tokens: Tokens) -> None:
        async with transaction(self.sessions) as session:
            await oauth_sessions.keep(session, self.box, integration, user_id, tokens=tokens, now=self.clock.now())

    @asynccontextmanager
    async def _alone(self, integration_id: int, user_id: int) -> AsyncIterator[None]:
        async with self._locks[integration_id, user_id]:
            yield
