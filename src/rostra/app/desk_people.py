"""Signing in and out, and one's own keys, as the dashboard's pages ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from rostra.app.requests import client_address, credential
from rostra.app.uses import Uses
from rostra.auth import keys, links, sessions, tokens_signed, users
from rostra.auth.credentials import who as who_is
from rostra.auth.errors import AccountLocked, WrongLogin
from rostra.auth.passwords import Passwords
from rostra.auth.principals import Principal, Role, lowered
from rostra.auth.sessions import SignedIn
from rostra.auth.tables import User
from rostra.content import audit_log
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.errors import Problem
from rostra.web.views import KeyRow


@dataclass(frozen=True, slots=True)
class People:
    """``on_credential_changed`` is called after a session or a key has ended."""

    tools: Tools
    passwords: Passwords
    uses: Uses
    on_credential_changed: Callable[[], None]

    async def principal(self, request: Request) -> Principal | None:
        settings, now = self.tools.settings().authentication, self.tools.clock.now()
        async with transaction(self.tools.reading) as session:
            found = await who_is(session, credential(request), settings, now)
        self.uses.note(found)
        return found

    def client_address(self, request: Request) -> str:
        return client_address(request)

    async def sign_in(self, username: str, password: str, address: str = "") -> SignedIn:
        try:
            async with transaction(self.tools.reading) as session:
                user = await users.sign_in(session, self.passwords, username, password)
        except (WrongLogin, AccountLocked) as why:
            await self._refused(username, address, why)
            raise
        return await self._begin(user, "password", address)

    async def redeem(self, token: str, address: str = "") -> SignedIn:
        async with transaction(self.tools.sessions) as session:
            user = await links.redeem(session, token, self.tools.clock.now())
        return await self._begin(user, "link", address)

    async def _begin(self, user: User, way: str, address: str) -> SignedIn:
        async with self._noted(user, "sign_in", way=way, address=address) as session:
            settings, now = self.tools.settings().authentication, self.tools.clock.now()
            return await sessions.begin(session, user.id, settings, now)

    async def _refused(self, username: str, address: str, why: Problem) -> None:
        """Write a try that failed. What was typed is kept only when it names an account: it may be a password."""
        async with transaction(self.tools.reading) as session:
            user = await users.by_username(session, username)
        async with self._noted(None, "refuse_sign_in", about=user, why=why.code, address=address):
            pass

    async def sign_out(self, token: str, address: str = "") -> None:
        async with transaction(self.tools.reading) as session:
            user = await sessions.whose(session, token)
        if user is None:
            return
        async with self._noted(user, "sign_out", address=address) as session:
            await sessions.end(session, token)
        self.on_credential_changed()

    @asynccontextmanager
    async def _noted(
        self, who: User | None, action: str, *, about: User | None = None, **facts: str
    ) -> AsyncIterator[AsyncSession]:
        """A transaction with an entry that says who came or went, and from where."""
        async with transaction(self.tools.sessions) as session:
            yield session
            subject = about or who
            audit_log.tell(session, who, action=action, subject=subject, facts=facts, now=self.tools.clock.now())

    async def keys(self, who: Principal) -> Sequence[KeyRow]:
        async with transaction(self.tools.reading) as session:
            found = await keys.of_user(session, who.user_id)
        return [
            KeyRow(
                id=str(key.id),
                name=key.name,
                role=lowered(who.role, Role(key.role) if key.role else None).value,
                created_at=key.created_at,
                used_at=key.active_at,
                expires_at=key.expires_at,
            )
            for key in found
        ]

    async def check_claim(self, who: Principal, token: str) -> None:  # noqa: ARG002  (anybody signed in may claim)
        async with transaction(self.tools.reading) as session:
            await tokens_signed.waiting(session, token, self.tools.clock.now())

    async def claim(self, who: Principal, token: str) -> None:
        keys.check_lasting(who)
        async with self._audited(who, "claim_token") as session:
            await tokens_signed.claim(session, token, who.user_id, self.tools.clock.now())

    @asynccontextmanager
    async def _audited(self, who: Principal, action: str) -> AsyncIterator[AsyncSession]:
        """A transaction with its entry in the audit log, about the person's own things."""
        async with transaction(self.tools.sessions) as session:
            recorder = audit_log.attend(session)
            yield session
            await session.flush()
            audit_log.write(session, recorder, who, action=action, subject=who.guid, now=self.tools.clock.now())
