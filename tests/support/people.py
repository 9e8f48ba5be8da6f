"""Accounts for tests, and hashing cheap enough for them."""

from __future__ import annotations

import datetime as dt

from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import users
from rostra.auth.passwords import Passwords
from rostra.auth.principals import Role
from rostra.auth.tables import User


def cheap_passwords() -> Passwords:
    return Passwords(hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def person(
    session: AsyncSession, name: str, now: dt.datetime, role: Role = Role.publisher, password: str | None = None
) -> User:
    return await users.create(
        session, cheap_passwords(), users.NewUser(username=name, role=role, password=password), now
    )
