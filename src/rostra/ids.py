"""Identifiers: distinct types, so that one cannot be passed for another, and the few ways to make them."""

from __future__ import annotations

import secrets
import uuid
from typing import NewType

ItemGuid = NewType("ItemGuid", str)  # hyphenated UUID; clients tell it from a number by the hyphens
BundleId = NewType("BundleId", int)
UserGuid = NewType("UserGuid", str)
TaskId = NewType("TaskId", str)  # URL- and file-name-safe: clients use it as a file name
ProcessKey = NewType("ProcessKey", str)  # 16 URL-safe characters, one per started process; `job key` on the wire
PoolKey = NewType("PoolKey", str)  # "{item guid}" for the live bundle, "{item guid}@{bundle id}" for a draft


def new_guid() -> str:
    return str(uuid.uuid4())


def new_key(length: int = 16) -> str:
    """Return ``length`` random lower-case letters and digits; 16 carry 82 bits."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(length))


def new_secret() -> str:
    """Return a 256-bit URL-safe secret (API keys, session tokens)."""
    return secrets.token_urlsafe(32)
