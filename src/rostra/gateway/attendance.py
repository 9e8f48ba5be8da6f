"""Who holds a WebSocket open to which content, for the records of use. No I/O: control is told what `news` returns.

Each row is whole, and told again while the session lasts: what control forgot, or never heard because it was away, it
learns with the next row, and a session nobody tells of any more has ended together with its gateway.
"""

from __future__ import annotations

import secrets
from typing import Any

STILL_SECONDS = 30.0  # between two rows of a session that only goes on
MOST = 50_000  # open at once; more are carried and not recorded

Row = list[Any]  # [key, item, user or null, began, ended or null], times in seconds since 1970


class Session:
    """One that is open. ``key`` is unique beyond this gateway's life."""

    __slots__ = ("began", "item", "key", "told_at", "user")

    def __init__(self, item: str, user: str | None, now: float) -> None:
        self.key = secrets.token_hex(12)
        self.item, self.user, self.began = item, user, now
        self.told_at = float("-inf")

    def row(self, ended: float | None) -> Row:
        return [self.key, self.item, self.user, self.began, ended]


class Attendance:
    """Every session of one gateway."""

    def __init__(self) -> None:
        self._open: set[Session] = set()
        self._ended: list[Row] = []

    def begin(self, item: str, user: str | None, now: float) -> Session | None:
        if len(self._open) >= MOST:
            return None
        session = Session(item, user, now)
        self._open.add(session)
        return session

    def end(self, session: Session | None, now: float) -> None:
        """Ending what has ended is fine."""
        if session in self._open:
            self._open.remove(session)
            if len(self._ended) < MOST:
                self._ended.append(session.row(now))

    def news(self, now: float) -> list[Row]:
        """Return what control has not been told, and what it should be reminded of."""
        ended, self._ended = self._ended, []
        due = [session for session in self._open if now - session.told_at >= STILL_SECONDS]
        for session in due:
            session.told_at = now
        return ended + [session.row(None) for session in due]
