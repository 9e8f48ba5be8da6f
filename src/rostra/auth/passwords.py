"""Hashes and checks passwords with argon2, in threads, only a few at a time: each needs 64 MiB for a while."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST = 1000  # characters; longer ones are somebody testing how much work we do

# Checked when there is no such account, so that the answer takes as long as for a wrong password.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class Passwords:
    """Make one for the server. ``hasher`` is given only by tests, which want it cheap."""

    def __init__(self, *, at_once: int = 2, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = CapacityLimiter(at_once)

    async def hash(self, password: str) -> str:
        return await to_thread.run_sync(self._hasher.hash, password, limiter=self._turns)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Return whether ``password`` is the one ``stored`` was made from. Takes as long when there is none."""
        if len(password) > LONGEST:
            return False
        return await to_thread.run_sync(self._matches, stored or _NOBODY, password, limiter=self._turns)

    def outdated(self, stored: str) -> bool:
        """Return whether the hash was made with weaker settings than today's and should be made again."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
