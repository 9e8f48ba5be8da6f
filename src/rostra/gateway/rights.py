"""Whether those who are already in may stay: WebSockets and answers that go on while access is taken back.

A decision is looked up for each request, but a WebSocket is one request that may last for days. So whenever control
says that something changed, and every few minutes besides (a session may simply have expired), what is open is compared
with what would be decided now. While control is away nobody is sent away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from rostra.gateway.decide import Credential, Decision
from rostra.gateway.link import ControlAway

COALESCE_SECONDS = 0.05  # several changes often come together
AGAIN_SECONDS = 120.0  # between two looks at everybody, without any change
MOST_QUESTIONS = 16  # to control at a time: new visitors must not wait behind those who are in

log = logging.getLogger("rostra.gateway")


Key = tuple[Credential, bytes]  # what is decided about: whose credential, and the prefix of the path


class Right(NamedTuple):
    """By what somebody came in."""

    key: Key
    path: bytes
    decision: Decision


class Visit(Protocol):
    """Something open that lasts: a WebSocket, or an exchange whose answer goes on."""

    @property
    def right(self) -> Right | None:
        """None when there is nothing to take back."""

    def revoke(self) -> None:
        """End it, because whoever opened it may not come in any more."""


Decide = Callable[[Credential, bytes, bytes], Awaitable[Decision]]


def holds(right: Right, decision: Decision) -> bool:
    """Return whether ``decision`` would let the same person in to the same processes."""
    then = right.decision
    return (decision.pool, decision.user) == (then.pool, then.user)


class Rights:
    """Looks again at what is open.

    Args:
        visits: everything that is open now.
        decide: control's decision, remembered or asked for; raises ControlAway.
    """

    def __init__(self, visits: Callable[[], Iterable[Visit]], decide: Decide) -> None:
        self._visits = visits
        self._decide = decide
        self._doubted = asyncio.Event()

    def doubt(self) -> None:
        """Something changed: look at everybody soon."""
        self._doubted.set()

    async def watch(self) -> None:
        """Look at everybody whenever there is doubt; until cancelled."""
        while True:
            try:
                async with asyncio.timeout(AGAIN_SECONDS):
                    await self._doubted.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(COALESCE_SECONDS)
            self._doubted.clear()
            try:
                await self._look()
            except Exception:
                log.exception("looking at who is in failed")

    async def _look(self) -> None:
        found: dict[Key, Decision] = {}
        turns = asyncio.Semaphore(MOST_QUESTIONS)

        async def settle(key: Key, visits: list[Visit], path: bytes) -> None:
            async with turns:
                try:
                    found[key] = await self._decide(*key, path)
                except ControlAway:
                    return
            _revoke(visits, found)

        by_key: dict[Key, list[Visit]] = {}
        paths: dict[Key, bytes] = {}
        for visit in self._visits():
            if (right := visit.right) is not None:
                by_key.setdefault(right.key, []).append(visit)
                paths[right.key] = right.path
        await asyncio.gather(*(settle(key, visits, paths[key]) for key, visits in by_key.items()))
        # Again: an exchange that became a WebSocket while control was asked is another visit by now.
        _revoke(list(self._visits()), found)


def _revoke(visits: Iterable[Visit], found: Mapping[Key, Decision]) -> None:
    for visit in visits:
        right = visit.right
        decision = found.get(right.key) if right is not None else None
        if right is not None and decision is not None and not holds(right, decision):
            visit.revoke()
