"""How secrets we hand out are remembered: never themselves, only their SHA-256."""

from __future__ import annotations

import hashlib


def fingerprint(secret: str) -> str:
    """Return the hash a secret is stored and found under; 256 random bits need no slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
