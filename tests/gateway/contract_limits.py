"""What every data plane must bound: sizes, times, connections that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar

from gateway.contract import ITEM, Contract, World
from support.raw_http import answer, read_body


class LimitsContract(Contract):
    """Clients that are slow, silent, greedy or gone."""

    SETTINGS: ClassVar[dict[str, Any]] = {
        "header_timeout": 0.5,
        "keep_alive_timeout": 0.5,
        "read_timeout": 0.5,
        "max_header_size": 4096,
    }

    async def test_those_who_take_too_long_are_sent_away(self, world: World) -> None:
        server = await world.content(_reads_body)

        async def half_a_head() -> None:
            client = await world.client()
            await client.send(b"GET / HTTP/1.1\r\nHost:")
            assert (await client.answer()).status == 408
            assert await client.is_closed()

        async def dripping_head() -> None:
            client = await world.client()
            answered = asyncio.create_task(client.answer())
            while not answered.done():
                await client.send(b"G")
                await asyncio.sleep(0.1)
            assert (await answered).status == 408

        async def silent() -> None:
            assert await (await world.client()).is_closed()

        async def idle() -> None:
            client = await world.client()
            assert (await client.ask("/")).status == 200
            assert await client.is_closed()

        async def half_a_body() -> None:
            client = await world.client()
            await client.send(f"POST {ITEM} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf".encode())
            assert (await client.answer()).status == 408

        await asyncio.gather(half_a_head(), dripping_head(), silent(), idle(), half_a_body())
        assert len(server.requests) == 1
        assert not server.open

    async def test_a_head_may_not_be_longer_than_allowed(self, world: World) -> None:
        client = await world.client()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 5000)
        assert (await client.answer()).status == 431
        client = await world.client()
        assert (await client.ask("/" + "y" * 5000)).status == 431
        assert world.control.http.requests == []

    async def test_a_client_that_vanishes_ends_the_request(self, world: World) -> None:
        ended = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            assert await reader.read(1) == b""
            ended.set()

        await world.content(handler)
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await asyncio.sleep(0.1)
        client.writer.transport.abort()
        async with asyncio.timeout(5):
            await ended.wait()
        await world.control.wait_for(lambda: world.control.told[-1].get("loads") == {"one": 0})

    async def test_a_client_that_vanishes_while_it_waits_is_forgotten(self, world: World) -> None:
        server = await world.server()
        world.control.decide(ITEM, "pool")
        world.control.on_process = lambda pool: asyncio.sleep(60, True)
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await world.control.wait_for(lambda: any(one["ask"] == "process" for one in world.control.asked))
        client.writer.transport.abort()
        await asyncio.sleep(0.1)
        await world.control.push_pool("pool", server)
        await asyncio.sleep(0.1)
        assert server.requests == []

    async def test_a_client_that_does_not_read_stops_the_process_from_writing(self, world: World) -> None:
        written = 0

        async def handler(message, reader, writer) -> None:
            nonlocal written
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            for _ in range(10_000):
                writer.write(b"x" * 100_000)
                await writer.drain()
                written += 100_000

        await world.content(handler)
        client = await world.client(limit=65536)
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        before = -1
        while written != before:
            before = written
            await asyncio.sleep(0.2)
        assert 0 < written < 30_000_000

    async def test_a_process_that_does_not_read_stops_the_client_from_writing(self, world: World) -> None:
        gate = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            reader._transport.pause_reading()
            await gate.wait()

        await world.content(handler)
        client = await world.client()
        await client.send(f"POST {ITEM} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n".encode())
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while sent < 100_000_000:
                    await client.send(b"x" * 100_000)
                    sent += 100_000
        gate.set()
        assert sent < 30_000_000


async def _reads_body(message, reader, writer) -> None:
    await read_body(reader, message)
    writer.write(answer())
