"""Hands every exit to every subscriber, from the moment it subscribed."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator

from rostra.execution.launcher import Exit


class Subscription(AsyncIterator[Exit]):
    """Never ends by itself; dropping it ends it."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Exit] = asyncio.Queue()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Exit:
        return await self.waiting.get()


class Feed:
    def __init__(self) -> None:
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()

    def subscribe(self) -> Subscription:
        subscription = Subscription()
        self._subscriptions.add(subscription)
        return subscription

    def publish(self, end: Exit) -> None:
        for subscription in list(self._subscriptions):
            subscription.waiting.put_nowait(end)
