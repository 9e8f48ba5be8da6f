"""What every data plane must do, seen from outside: real sockets, a fake control, processes that misbehave.

Subclass in the test module of a data plane and give it a fixture ``start_gateway``: a function (run_dir, **settings)
that returns a context manager with ``port``.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.fake_control import FakeControl
from support.raw_http import Client, Handler, Server, answer, read_body

ITEM = "/content/0a1b-2c3d/"


class World:
    """A control, processes of one item, and a gateway before them."""

    def __init__(self, run_dir: Path, control: FakeControl, stack: contextlib.AsyncExitStack) -> None:
        self.run_dir = run_dir
        self.control = control
        self.stack = stack
        self.port = 0

    async def server(self, name: str = "one", handler: Handler | None = None) -> Server:
        """Start a process that is in no pool yet."""
        server = await Server(self.run_dir / "p" / name / "s", name, handler).start()
        self.stack.push_async_callback(server.stop)
        return server

    async def content(self, handler: Handler | None = None, **decision: Any) -> Server:
        """Start one process of the item and decide for it."""
        server = await self.server("one", handler)
        self.control.decide(ITEM, "pool", **decision)
        await self.control.push_pool("pool", server)
        return server

    async def client(self, port: int = 0, **options: Any) -> Client:
        client = await Client.connect(port or self.port, **options)
        self.stack.push_async_callback(client.close)
        return client


class Contract:
    SETTINGS: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def run_dir(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="rg-") as name:  # short: socket paths may have 107 bytes
            yield Path(name)

    @pytest.fixture
    async def world(
        self, run_dir: Path, start_gateway: Callable[..., AbstractContextManager[Any]]
    ) -> AsyncIterator[World]:
        async with contextlib.AsyncExitStack() as stack:
            control = await stack.enter_async_context(FakeControl(run_dir))
            world = World(run_dir, control, stack)
            gateway = start_gateway(run_dir, **self.SETTINGS)
            await stack.enter_async_context(_in_thread(gateway))
            world.port = gateway.port
            await control.connected()
            yield world


@contextlib.asynccontextmanager
async def _in_thread(gateway: AbstractContextManager[Any]) -> AsyncIterator[None]:
    """Enter and leave without blocking the loop that control and the processes run on."""
    await asyncio.to_thread(gateway.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(gateway.__exit__, None, None, None)


class WhereContract(Contract):
    """Which requests go where, and what they look like there."""

    async def test_everything_that_is_not_content_goes_to_control(self, world: World) -> None:
        client = await world.client()
        for target in ("/", "/__api__/v1/user?x=%20", "/content/../__api__/", "//content/x/", "/content/%2e%2e/x"):
            told = (await client.ask(target)).json()
            assert (told["name"], told["start"]) == ("control", f"GET {target} HTTP/1.1")
        assert world.control.http.connections == 1

    async def test_content_gets_its_raw_path_and_identity_from_the_decision(self, world: World) -> None:
        await world.content(headers=[["RStudio-Connect-Credentials", '{"user":"ann"}']])
        target = ITEM + "a%2Fb/../c//d;x?q=%zz&%00"
        told = (await (await world.client()).ask(target, "RStudio_Connect_Credentials: root")).json()
        assert told["start"] == f"GET {target} HTTP/1.1"
        assert dict(told["fields"]) == {
            "Host": "server.test",
            "X-Forwarded-For": "127.0.0.1",
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "server.test",
            "X-Real-IP": "127.0.0.1",
            "X-RSC-Request": "http://server.test" + target,
            "RStudio-Connect-App-Base-URL": "http://server.test" + ITEM.rstrip("/"),
            "RStudio-Connect-Credentials": '{"user":"ann"}',
        }

    async def test_control_is_told_who_asks_and_keeps_the_credential(self, world: World) -> None:
        told = (
            await (await world.client()).ask("/x", "Authorization: Key k", "X-Rostra-Client-Address: 6.6.6.6")
        ).json()
        fields = dict(told["fields"])
        assert fields["Authorization"] == "Key k"
        assert fields["X-Rostra-Client-Address"] == "127.0.0.1"

    async def test_a_decision_is_asked_for_once_for_each_credential(self, world: World) -> None:
        await world.content()
        client = await world.client()
        for line in ("Cookie: rsconnect=a", "Cookie: rsconnect=a", "Authorization: Key b", "Accept: */*"):
            assert (await client.ask(ITEM + "x", line)).status == 200
        assert [one["credential"] for one in world.control.asked] == [
            {"scheme": "cookie", "value": "a"},
            {"scheme": "key", "value": "b"},
            {"scheme": "none", "value": ""},
        ]

    async def test_visitors_at_once_share_one_question(self, world: World) -> None:
        await world.content()
        clients = [await world.client() for _ in range(20)]
        answers = await asyncio.gather(*(client.ask(ITEM) for client in clients))
        assert {one.status for one in answers} == {200}
        assert len(world.control.asked) == 1

    async def test_what_control_decides_for_itself_goes_to_control(self, world: World) -> None:
        assert (await (await world.client()).ask(ITEM)).json()["name"] == "control"

    async def test_a_vanity_path_is_exchanged_for_the_base_the_process_knows(self, world: World) -> None:
        server = await world.server()
        world.control.decide("/sales/", "pool", base=ITEM, sticky=True)
        await world.control.push_pool("pool", server)
        await world.control.push_vanities("/sales/")
        client = await world.client()
        got = await client.ask("/sales/x?y=/sales/")
        assert (got.json()["name"], got.json()["start"]) == ("one", f"GET {ITEM}x?y=/sales/ HTTP/1.1")
        # The page's own links lead to the base, relative ones stay here: both must come back to the same process.
        paths = [line.split("; ")[1] for line in got.all("set-cookie")]
        assert paths == [f"Path={ITEM}", "Path=/sales/"]

    async def test_a_missing_slash_is_redirected_with_its_query(self, world: World) -> None:
        world.control.decisions[ITEM.rstrip("/")] = {"redirect": ITEM, "ttl": 60}
        client = await world.client()
        for _ in range(2):
            moved = await client.ask(ITEM.rstrip("/") + "?a=b")
            assert (moved.status, moved.get("location")) == (307, ITEM + "?a=b")

    async def test_what_is_forgotten_is_asked_again(self, world: World) -> None:
        await world.content()
        client = await world.client()
        assert (await client.ask(ITEM)).json()["name"] == "one"
        world.control.decisions.clear()
        await world.control.push({"push": "forget", "prefix": ITEM, "credential": None})
        await asyncio.sleep(0.05)
        assert (await client.ask(ITEM)).json()["name"] == "control"

    async def test_what_is_forgotten_while_it_is_asked_is_asked_again(self, world: World) -> None:
        await world.content()
        world.control.gate = asyncio.Event()
        client = await world.client()
        asking = asyncio.create_task(client.ask(ITEM))
        await world.control.wait_for(lambda: bool(world.control.asked))
        world.control.decisions.clear()
        await world.control.push({"push": "forget", "prefix": ITEM, "credential": None})
        world.control.gate.set()
        await asking
        assert (await client.ask(ITEM)).json()["name"] == "control"

    async def test_content_cannot_set_our_cookies_or_say_what_it_runs_on(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            writer.write(answer(b"", "Set-Cookie: rsconnect=evil; Path=/", "Set-Cookie: a=1", "Server: x"))

        await world.content(handler)
        got = await (await world.client()).ask(ITEM)
        assert (got.all("set-cookie"), got.get("server")) == (["a=1"], None)


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
        async with _in_thread(gateway):
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
