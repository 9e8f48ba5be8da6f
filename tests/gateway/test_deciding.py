from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from rostra.gateway.decide import Credential, Decision
from rostra.gateway.deciding import Deciding
from rostra.gateway.link import ControlAway, Link, Message

pytestmark = pytest.mark.anyio
WHO: Credential = (b"key", b"k")


class Control:
    """A line to control whose answers wait for ``go``."""

    def __init__(self) -> None:
        self.questions: list[Message] = []
        self.go = asyncio.Event()
        self.away = False

    async def back(self) -> None:
        if self.away:
            raise ControlAway

    async def ask(self, message: Message) -> dict[str, Any]:
        self.questions.append(message)
        await self.go.wait()
        found = {"to": "pool", "pool": "p", "ttl": 60, "base": "/content/x/", "prefix": "/content/x/", "item": "x"}
        return {**found, "user": None, "headers": [], "sticky": False}


def deciding(control: Control) -> Deciding:
    return Deciding(cast(Link, control), lambda work: asyncio.get_running_loop().create_task(work), lambda: 0.0)


async def decided(one: Deciding) -> Decision:
    return await one.decide(WHO, b"/content/x/", b"/content/x/")


async def test_any_number_wait_for_one_question() -> None:
    control = Control()
    one = deciding(control)
    waiting = [asyncio.create_task(decided(one)) for _ in range(5)]
    while not control.questions:
        await asyncio.sleep(0)
    control.go.set()
    assert {found.pool for found in await asyncio.gather(*waiting)} == {"p"}
    await decided(one)
    assert len(control.questions) == 1


async def test_what_was_asked_before_a_change_is_not_remembered() -> None:
    control = Control()
    one = deciding(control)
    waiting = asyncio.create_task(decided(one))
    while not control.questions:
        await asyncio.sleep(0)
    one.forget(None, None)
    control.go.set()
    await waiting
    await decided(one)
    assert len(control.questions) == 2


async def test_without_control_and_an_old_decision_nobody_decides() -> None:
    control = Control()
    control.away = True
    with pytest.raises(ControlAway):
        await decided(deciding(control))
