"""What every data plane must do with the processes of an item: choose, ask for more, stay with one, lose one."""

from __future__ import annotations

import asyncio

from gateway.contract import ITEM, Contract, World
from support.raw_http import Server, answer


class ProcessContract(Contract):
    """Which process, and what when there is none."""

    async def test_a_visitor_comes_back_to_the_same_process(self, world: World) -> None:
        servers = [await world.server("one"), await world.server("two")]
        world.control.decide(ITEM, "pool", sticky=True)
        await world.control.push_pool("pool", *servers)
        client = await world.client()
        first = await client.ask(ITEM)
        cookie = first.get("set-cookie")
        assert cookie is not None
        assert cookie.endswith(f"; Path={ITEM}; HttpOnly; SameSite=Lax")
        other = "two" if first.json()["name"] == "one" else "one"
        again = await client.ask(ITEM, f"Cookie: a=1; rostra-process={other}")
        assert again.json()["name"] == other
        assert again.get("set-cookie") is None
        assert dict(again.json()["fields"])["Cookie"] == "a=1"

    async def test_requests_spread_over_processes(self, world: World) -> None:
        gate = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            await gate.wait()
            writer.write(answer())

        servers = [await world.server("one", handler), await world.server("two", handler)]
        world.control.decide(ITEM, "pool")
        await world.control.push_pool("pool", *servers)
        clients = [await world.client() for _ in range(6)]
        asking = [asyncio.create_task(client.ask(ITEM)) for client in clients]
        async with asyncio.timeout(5):
            while sum(len(server.requests) for server in servers) < 6:
                await asyncio.sleep(0.01)
        assert [len(server.requests) for server in servers] == [3, 3]
        gate.set()
        await asyncio.gather(*asking)

    async def test_without_a_process_one_is_asked_for_and_waited_for(self, world: World) -> None:
        server = await world.server()
        world.control.decide(ITEM, "pool")

        async def on_process(pool: str) -> bool:
            await asyncio.sleep(0.1)
            await world.control.push_pool(pool, server)
            return True

        world.control.on_process = on_process
        clients = [await world.client() for _ in range(5)]
        answers = await asyncio.gather(*(client.ask(ITEM) for client in clients))
        assert {one.json()["name"] for one in answers} == {"one"}
        assert [one["ask"] for one in world.control.asked].count("process") == 1

    async def test_one_takes_the_place_of_all_that_died(self, world: World) -> None:
        dead = await world.content()
        await dead.stop()

        async def on_process(pool: str) -> bool:
            await world.control.push_pool(pool)  # control leaves the dead one out before it has another
            await asyncio.sleep(0.1)
            await world.control.push_pool(pool, await world.server("two"))
            return True

        world.control.on_process = on_process
        assert (await (await world.client()).ask(ITEM)).json()["name"] == "two"
        assert [one["ask"] for one in world.control.asked].count("process") == 1

    async def test_the_body_waits_too(self, world: World) -> None:
        server = await world.server()
        world.control.decide(ITEM, "pool")

        async def on_process(pool: str) -> bool:
            await asyncio.sleep(0.1)
            await world.control.push_pool(pool, server)
            return True

        world.control.on_process = on_process
        body = bytes(range(256)) * 4096
        told = (await (await world.client()).ask(ITEM, method="POST", body=body)).json()
        assert told["body"].encode("latin-1") == body

    async def test_when_none_can_be_started_control_explains(self, world: World) -> None:
        world.control.decide(ITEM, "pool")
        told = (await (await world.client()).ask(ITEM)).json()
        assert (told["name"], dict(told["fields"])["X-Rostra-Reason"]) == ("control", "failed")

    async def test_a_person_is_not_kept_waiting(self, world: World) -> None:
        world.control.decide(ITEM, "pool")
        world.control.on_process = lambda pool: asyncio.sleep(60, True)
        started = asyncio.get_running_loop().time()
        told = (await (await world.client()).ask(ITEM, "Accept: text/html,*/*")).json()
        assert (told["name"], dict(told["fields"])["X-Rostra-Reason"]) == ("control", "starting")
        assert 1.4 < asyncio.get_running_loop().time() - started < 4

    async def test_a_full_pool_asks_and_serves_when_room_comes(self, world: World) -> None:
        gate = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            await gate.wait()
            writer.write(answer())

        server = await world.server("one", handler)
        world.control.decide(ITEM, "pool")
        await world.control.push_pool("pool", server, room=1)
        world.control.on_process = lambda pool: asyncio.sleep(60, True)
        first, second = await world.client(), await world.client()
        asking = [asyncio.create_task(first.ask(ITEM))]
        await world.control.wait_for(lambda: any(one["tell"] == "loads" for one in world.control.told))
        asking.append(asyncio.create_task(second.ask(ITEM)))
        await world.control.wait_for(
            lambda: {"ask": "process", "pool": "pool"}.items() <= world.control.asked[-1].items()
        )
        assert len(server.requests) == 1
        gate.set()
        assert {one.status for one in await asyncio.gather(*asking)} == {200}

    async def test_uncomfortable_processes_make_it_wish_for_one_more(self, world: World) -> None:
        gate = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            await gate.wait()
            writer.write(answer())

        server = await world.server("one", handler)
        world.control.decide(ITEM, "pool")
        await world.control.push_pool("pool", server, room=20, comfort=2)
        clients = [await world.client() for _ in range(3)]
        asking = [asyncio.create_task(client.ask(ITEM)) for client in clients]
        await world.control.wait_for(lambda: any(one["ask"] == "process" for one in world.control.asked))
        gate.set()
        assert {one.status for one in await asyncio.gather(*asking)} == {200}

    async def test_an_unreachable_process_is_told_and_another_takes_over(self, world: World) -> None:
        gone, there = Server(world.run_dir / "p" / "gone" / "s", "gone"), await world.server("there")
        world.control.decide(ITEM, "pool")
        await world.control.push_pool("pool", gone, there)
        client = await world.client()
        told = (await client.ask(ITEM, method="POST", body=b"kept")).json()
        assert (told["name"], told["body"]) == ("there", "kept")
        await world.control.wait_for(lambda: {"tell": "unreachable", "process": "gone"} in world.control.told)

    async def test_when_no_process_is_reachable_control_explains(self, world: World) -> None:
        world.control.decide(ITEM, "pool")
        await world.control.push_pool("pool", Server(world.run_dir / "p" / "gone" / "s", "gone"))
        told = (await (await world.client()).ask(ITEM)).json()
        assert told["name"] == "control"
        assert dict(told["fields"])["X-Rostra-Reason"] in {"failed", "unreachable"}

    async def test_a_restarted_process_serves_on(self, world: World) -> None:
        server = await world.content()
        client = await world.client()
        assert (await client.ask(ITEM)).status == 200
        await server.stop()
        await server.start()
        assert (await client.ask(ITEM)).json()["name"] == "one"

    async def test_loads_and_visits_are_told(self, world: World) -> None:
        await world.content(user="ann")
        client = await world.client()
        await client.ask(ITEM + "page?secret=1", "Accept: text/html", "User-Agent: Browser")
        await client.ask(ITEM + "app.js", "Accept: */*", "Sec-Fetch-Mode: no-cors")
        told = world.control.told
        await world.control.wait_for(lambda: {"tell": "loads", "pool": "pool", "loads": {"one": 0}} in told)
        await world.control.wait_for(lambda: any(one["tell"] == "visits" for one in told))
        (rows,) = [one["rows"] for one in told if one["tell"] == "visits"]
        ((item, user, path, when, agent),) = rows
        assert (item, user, path, agent) == ("pool", "ann", ITEM + "page", "Browser")
        assert when > 1_600_000_000
