"""What every data plane must do while control is not there, or not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from gateway.contract import ITEM, Contract, World, in_thread
from support.raw_http import answer


class AwayContract(Contract):
    """What when control is not there."""

    async def test_running_content_keeps_answering(self, world: World) -> None:
        await world.content()
        client = await world.client()
        await client.ask(ITEM)
        await world.control.stop()
        for _ in range(3):
            assert (await client.ask(ITEM)).json()["name"] == "one"
        assert (await (await world.client()).ask(ITEM)).json()["name"] == "one"

    async def test_an_old_decision_serves_when_control_is_gone_or_deaf(self, world: World) -> None:
        await world.content(ttl=0.01)
        client = await world.client()
        await client.ask(ITEM)
        world.control.deaf = True
        await asyncio.sleep(0.05)
        started = asyncio.get_running_loop().time()
        assert (await client.ask(ITEM)).json()["name"] == "one"
        assert 0.8 < asyncio.get_running_loop().time() - started < 3
        await world.control.stop()
        assert (await client.ask(ITEM)).json()["name"] == "one"

    async def test_what_needs_control_says_so_plainly(self, world: World) -> None:
        await world.control.stop()
        client = await world.client()
        page, call, unknown = await asyncio.gather(
            client.ask("/connect/"),
            (await world.client()).ask("/__api__/v1/user"),
            (await world.client()).ask(ITEM),
        )
        assert (page.status, page.get("retry-after"), page.get("content-type")) == (
            503,
            "1",
            "text/plain; charset=utf-8",
        )
        assert (call.status, call.json()["code"], call.get("content-type")) == (503, 1, "application/json")
        assert unknown.status == 503

    async def test_a_short_restart_of_control_is_not_noticed(self, world: World) -> None:
        await world.content()
        client = await world.client()
        await world.control.stop()
        asking = asyncio.create_task(client.ask("/x"))
        other = asyncio.create_task((await world.client()).ask(ITEM))
        await asyncio.sleep(0.2)
        await world.control.start()
        assert (await asking).json()["name"] == "control"
        assert (await other).json()["name"] == "one"

    async def test_the_first_visitor_of_a_vanity_path_finds_it(
        self, world: World, run_dir: Path, start_gateway: Callable[..., AbstractContextManager[Any]]
    ) -> None:
        """Control answers a moment before a gateway that has just started knows what is whose."""
        server = await world.server()
        world.control.decide("/sales/", "pool", base=ITEM)
        await world.control.push_pool("pool", server)
        await world.control.push_vanities("/sales/")
        world.control.greeting = asyncio.Event()
        gateway: Any = start_gateway(run_dir, **self.SETTINGS)
        async with in_thread(gateway):
            asking = asyncio.create_task((await world.client(gateway.port)).ask("/sales/"))
            await asyncio.sleep(0.1)
            world.control.greeting.set()
            assert (await asking).json()["name"] == "one"

    async def test_after_each_connection_it_says_hello_with_its_loads(self, world: World) -> None:
        gate = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            await gate.wait()
            writer.write(answer())

        await world.content(handler)
        asking = asyncio.create_task((await world.client()).ask(ITEM))
        await world.control.wait_for(lambda: any(one["tell"] == "loads" for one in world.control.told))
        await world.control.stop()
        world.control.told.clear()
        await world.control.start()
        await world.control.wait_for(lambda: {"tell": "hello", "loads": {"one": 1}} in world.control.told)
        gate.set()
        assert (await asking).status == 200
