"""Who is asking. Plain values: nothing is looked up here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from rostra.errors import NotSignedIn


class Role(StrEnum):
    """What a person may do on the whole server, weakest first."""

    viewer = "viewer"
    publisher = "publisher"
    administrator = "administrator"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def at_least(self, wanted: Role) -> bool:
        return self.rank >= wanted.rank


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Via(StrEnum):
    """What a person showed to be recognised."""

    key = "key"
    process_key = "process-key"  # the short-lived key a content process is given, with its owner's rights
    session = "session"
    service = "service"  # a machine's token: nobody's account
    signed = "signed"  # requests signed with a key pair that the person claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A recognised person and how far this very request may go.

    ``role`` is already the smaller of the account's role and ``key_cap``: compare it, nothing else.
    ``seen_at`` is the older of the recorded last uses of the account and of the credential; None: never recorded.
    """

    user_id: int
    guid: str
    username: str
    role: Role
    key_cap: Role | None = None
    via: Via
    credential_id: str = ""  # the key's id, the session's token hash or the key pair's token
    seen_at: dt.datetime | None = None
    scopes: frozenset[str] = frozenset()  # of a service token: all that it may do

    @property
    def is_administrator(self) -> bool:
        return self.role is Role.administrator

    @property
    def may_publish(self) -> bool:
        return self.role.at_least(Role.publisher)


def lowered(role: Role, cap: Role | None) -> Role:
    """Return the smaller of the two; no cap lowers nothing."""
    return role if cap is None or cap.at_least(role) else cap


class BadCredential(NotSignedIn):
    """A key, token or cookie was shown and is no good."""

    code = "bad-credential"
    number = 30

    def __init__(self) -> None:
        super().__init__(
            "the credential is not valid",
            hint="It may be mistyped, revoked or expired, or its account may be locked; make another API key.",
        )
