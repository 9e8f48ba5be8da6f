"""Decisions of control for the gateway: remembered, asked for once however many need one, old ones while it is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from rostra.gateway.decide import BadDecision, Credential, Decision, Decisions, read_decision
from rostra.gateway.link import ControlAway, Link

DECIDE_SECONDS = 1.0  # after which an old decision serves
DECIDE_SECONDS_AT_MOST = 30.0  # when there is no old one

Answer = Decision | None
log = logging.getLogger("rostra.gateway")


class Deciding:
    """All decisions of one gateway.

    Args:
        spawn: starts what asks control; whoever gives it owns the tasks.
        now: seconds, monotonic.
    """

    def __init__(
        self,
        link: Link,
        spawn: Callable[[Coroutine[Any, Any, Answer]], asyncio.Task[Answer]],
        now: Callable[[], float],
    ) -> None:
        self.decisions = Decisions()
        self.changes = 0  # how often control said that decisions may be others
        self._link = link
        self._spawn = spawn
        self._now = now
        self._asking: dict[tuple[Credential, bytes], tuple[asyncio.Task[Answer], float]] = {}

    async def decide(self, credential: Credential, prefix: bytes, path: bytes) -> Decision:
        """Return control's decision, asked for once however many need it; an old one when control does not answer.

        Raises:
            ControlAway: it does not answer, and there is no old decision.
        """
        if fresh := self.decisions.fresh(credential, prefix, self._now()):
            return fresh
        key = (credential, prefix)
        if key not in self._asking:
            self._asking[key] = (self._spawn(self._ask(credential, prefix, path)), self._now())
        asking, since = self._asking[key]
        old = self.decisions.stale(credential, prefix, self._now())
        patience = max(0.0, since + DECIDE_SECONDS - self._now()) if old else DECIDE_SECONDS_AT_MOST
        await asyncio.wait((asking,), timeout=patience)
        found = (asking.result() if asking.done() and not asking.cancelled() else None) or old
        if found is None:
            raise ControlAway
        return found

    def forget(self, prefix: bytes | None, credential: bytes | None) -> None:
        """Forget what control says may be decided otherwise now, and what is being asked for at this moment."""
        self.changes += 1
        self.decisions.forget(prefix, credential)

    def close(self) -> None:
        """Wait for no answer any more."""
        for task, _ in self._asking.values():
            task.cancel()

    async def _ask(self, credential: Credential, prefix: bytes, path: bytes) -> Answer:
        scheme, value = (part.decode("latin-1") for part in credential)
        question = {
            "ask": "decide",
            "path": path.decode("latin-1"),
            "credential": {"scheme": scheme, "value": value},
        }
        changes = self.changes
        try:
            if not self.decisions.stale(credential, prefix, self._now()):
                await self._link.back()
            decision = read_decision(await self._link.ask(question), self._now())
        except ControlAway:
            return None
        except BadDecision as why:
            log.error("%s", why)
            return Decision(until=0)
        except Exception:
            log.exception("asking for a decision failed")
            return None
        finally:
            del self._asking[credential, prefix]
        if changes == self.changes:  # else it may be what was to be forgotten: good for those who wait, not for later
            self.decisions.remember(credential, prefix, decision)
        return decision
