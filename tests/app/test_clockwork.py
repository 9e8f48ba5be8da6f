"""Scheduled runs, from a schedule's moment to what is told of them."""

from __future__ import annotations

import pytest
from support.controlling import World

from rostra.app.clockwork import Clockwork
from rostra.clock import wire_time

pytestmark = pytest.mark.anyio


async def test_a_run_says_when_it_was_due_also_when_the_server_comes_late(world: World) -> None:
    guid = await world.document("all")
    begins = wire_time(world.house.clock.now())
    told = {"type": "hour", "schedule": '{"N": 1}', "start_time": begins, "timezone": "UTC"}
    plan = await world.api("PUT", f"content/{guid}/schedule", told)
    world.house.clock.move(hours=2, minutes=7)
    await Clockwork(world.control.reports).tick()
    await world.api("POST", f"content/{guid}/render", {})
    by_hand, run = await world.api("GET", f"content/{guid}/schedule/history")
    assert run["scheduled_time"] == plan["next_run"]
    assert run["queued_time"] == wire_time(world.house.clock.now()) > run["scheduled_time"]
    assert by_hand["scheduled_time"] is None
