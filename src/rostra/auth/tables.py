"""People, groups, browser sessions, API keys, publishers' key pairs and mailed or printed one-time links."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from rostra.db.base import Table


class User(Table):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(default="")
    first_name: Mapped[str] = mapped_column(default="")
    last_name: Mapped[str] = mapped_column(default="")
    role: Mapped[str]  # viewer, publisher, administrator
    password_hash: Mapped[str | None]
    confirmed: Mapped[bool] = mapped_column(default=True)
    locked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    active_at: Mapped[dt.datetime | None]


class Session(Table):
    """A signed-in browser. ``token_hash`` is SHA-256 of the cookie's value."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]


class ApiKey(Table):
    """``key_hash`` is SHA-256 of the key: it is 256 random bits, so a slow hash would protect nothing."""

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str | None]  # caps the user's role; None: no cap
    process_key: Mapped[str | None]  # set for the short-lived key a content process is given
    created_at: Mapped[dt.datetime]
    active_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]


class OneTimeLink(Table):
    """A sign-in link that works once. ``token_hash`` is SHA-256 of what the link carries."""

    __tablename__ = "one_time_links"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[dt.datetime]


class Group(Table):
    """People who are given permissions together. ``folded`` is the name in lower case: no two groups share it."""

    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    folded: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[int | None]  # who made it; no foreign key: the group stays
    created_at: Mapped[dt.datetime]


class Membership(Table):
    __tablename__ = "memberships"

    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class KeyPair(Table):
    """What a publishing client signs its requests with. It is nobody's until a signed-in person claims it.

    ``public_key`` is DER (SubjectPublicKeyInfo), base64.
    """

    __tablename__ = "key_pairs"

    token: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[str] = mapped_column(sa.Text)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    active_at: Mapped[dt.datetime | None]


class ServiceToken(Table):
    """What a machine shows that is nobody's account. It may do what its scopes say and nothing else.

    ``token_hash`` is SHA-256 of the token, as with keys.
    """

    __tablename__ = "service_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    guid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(default=list)
    created_by_id: Mapped[int | None]  # no foreign key: the token stays
    created_at: Mapped[dt.datetime]
    active_at: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]


class UsedSignature(Table):
    """A signed request that changed something, remembered for as long as its date would be accepted again."""

    __tablename__ = "used_signatures"

    digest: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[dt.datetime] = mapped_column(index=True)
