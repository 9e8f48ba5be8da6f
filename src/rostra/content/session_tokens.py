"""Opaque tokens that content exchanges: one says which visitor it is talking to, the other which content it is itself.

The visitor's is for one item and one person and good for a short time. That of content is for one item and good as long
as a process runs; it is worth nothing without the key of the item's owner, which ends with the process.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from rostra.content.errors import VariablesLocked
from rostra.content.variables import Box
from rostra.errors import Invalid

LIFETIME = dt.timedelta(hours=12)  # as long as somebody keeps one page of an app open
_PURPOSE, _CONTENT = "user-session-token", "content-session-token"


class BadSessionToken(Invalid):
    code = "bad-session-token"
    number = 215

    def __init__(self) -> None:
        super().__init__(
            "the visitor's session token is not valid", hint="Send the token of the request that is being answered."
        )


class BadContentToken(Invalid):
    code = "bad-content-session-token"
    number = 236

    def __init__(self) -> None:
        super().__init__("the content's session token is not valid", hint="Send CONNECT_CONTENT_SESSION_TOKEN.")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who visits what."""

    user_guid: str
    item_guid: str


def make(box: Box, visitor: Visitor, now: dt.datetime) -> str:
    """Return the token for a visit that begins now."""
    until = int((now + LIFETIME).timestamp())
    return box.close(0, _PURPOSE, json.dumps([visitor.user_guid, visitor.item_guid, until]))


def read(box: Box, token: str, now: dt.datetime) -> Visitor:
    """Raises: BadSessionToken, also when it has expired."""
    try:
        user, item, until = json.loads(box.open(0, _PURPOSE, token))
    except (VariablesLocked, ValueError, UnicodeError) as why:
        raise BadSessionToken from why
    if now.timestamp() > until:
        raise BadSessionToken
    return Visitor(user, item)


def make_for_content(box: Box, item_guid: str) -> str:
    """Return the token that a process of the item is given."""
    return box.close(0, _CONTENT, json.dumps(item_guid))


def read_for_content(box: Box, token: str) -> str:
    """Return the item's guid. Raises: BadContentToken."""
    try:
        return str(json.loads(box.open(0, _CONTENT, token)))
    except (VariablesLocked, ValueError, UnicodeError) as why:
        raise BadContentToken from why
