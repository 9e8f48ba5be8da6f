"""What every data plane must do with WebSockets, and with those who try to slip a second request in."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from gateway.contract import ITEM, Contract, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fake_control import FakeControl
from support.raw_http import Server
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"


class SocketContract(Contract):
    async def echo(
        self, world: World, handler: Callable[[ServerConnection], Any] | None = None, **decision: Any
    ) -> list:
        """Start a process that echoes over WebSockets; returns the heads it gets."""
        heads: list = []

        async def echoing(ws: ServerConnection) -> None:
            heads.append(ws.request)
            async for message in ws:
                await ws.send(message)

        place = Server(world.run_dir / "p" / "ws" / "s", "ws")
        place.path.parent.mkdir(parents=True)
        server = await unix_serve(handler or echoing, str(place.path), max_size=None, compression=None)
        world.stack.callback(server.close)
        world.control.decide(ITEM, "pool", **decision)
        await world.control.push_pool("pool", place)
        return heads

    def url(self, world: World) -> str:
        return f"ws://127.0.0.1:{world.port}{ITEM}ws?a=b"


class WebSocketContract(SocketContract):
    async def test_messages_go_both_ways(self, world: World) -> None:
        heads = await self.echo(world, headers=[["RStudio-Connect-Credentials", "{}"]], sticky=True)
        async with connect(self.url(world), additional_headers={"Cookie": "rsconnect=s; a=1"}) as ws:
            assert ws.response is not None
            assert "rostra-process=ws" in ws.response.headers["Set-Cookie"]
            for message in ("hello", b"\x00\xff", "x" * 1_000_000):
                await ws.send(message)
                assert await ws.recv() == message
        assert heads[0].path == ITEM + "ws?a=b"
        assert heads[0].headers["RStudio-Connect-Credentials"] == "{}"
        assert heads[0].headers["Cookie"] == "a=1"

    async def test_it_counts_as_a_connection_until_it_ends(self, world: World) -> None:
        await self.echo(world)
        async with connect(self.url(world)):
            await world.control.wait_for(lambda: world.control.told[-1].get("loads") == {"ws": 1})
        await world.control.wait_for(lambda: world.control.told[-1].get("loads") == {"ws": 0})

    async def test_its_beginning_and_its_end_are_told(self, world: World) -> None:
        await self.echo(world, item="the-item", user="the-user")

        def rows() -> list[list[Any]]:
            return [row for one in world.control.told if one["tell"] == "sessions" for row in one["rows"]]

        async with connect(self.url(world)):
            await world.control.wait_for(lambda: len(rows()) == 1)
        await world.control.wait_for(lambda: len(rows()) == 2)
        (key, *first), (same, *second) = rows()
        assert key == same
        assert first[:2] == second[:2] == ["the-item", "the-user"]
        assert first[3] is None
        assert second[3] >= second[2] == first[2] > 1_600_000_000

    async def test_the_end_of_either_side_is_the_end_of_both(self, world: World) -> None:
        ended = asyncio.Event()

        async def handler(ws: ServerConnection) -> None:
            if await ws.recv() == "leave":
                ws.transport.abort()
            with contextlib.suppress(ConnectionClosed):
                await ws.recv()
            ended.set()

        await self.echo(world, handler)
        async with asyncio.timeout(10):
            ws = await connect(self.url(world))
            await ws.send("leave")
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            await ended.wait()
            ended.clear()
            ws = await connect(self.url(world))
            await ws.send("stay")
            ws.transport.abort()
            await ended.wait()

    async def test_a_refused_upgrade_is_an_answer_like_any_other(self, world: World) -> None:
        await world.content()
        with pytest.raises(InvalidStatus) as refused:
            await connect(self.url(world))
        assert refused.value.response.status_code == 200

    async def test_what_the_client_sends_early_arrives(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            await asyncio.sleep(0.1)
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly ")
            writer.write(await reader.readexactly(5))
            await reader.read()

        await world.content(handler)
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\nhello".encode())
        got = await client.answer()
        assert (got.status, got.get("upgrade"), got.get("connection")) == (101, "websocket", "Upgrade")
        async with asyncio.timeout(5):
            assert await client.reader.readexactly(11) == b"early hello"

    async def test_no_other_protocol_is_changed_to(self, world: World) -> None:
        await world.content()
        client = await world.client()
        told = (
            await client.ask(ITEM, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: x")
        ).json()
        assert not {"Upgrade", "Connection", "HTTP2-Settings"} & set(dict(told["fields"]))

    async def test_who_does_not_read_is_not_written_to(self, world: World) -> None:
        sent = 0

        async def handler(message, reader, writer) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            for _ in range(1000):
                writer.write(b"x" * 100_000)
                await writer.drain()
                sent += 100_000

        await world.content(handler)
        client = await world.client(limit=65536)
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n".encode())
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.2)
        assert 0 < sent < 30_000_000
        await client.answer()
        async with asyncio.timeout(10):
            left = 100_000_000
            while left and (data := await client.reader.read(1_000_000)):
                left -= len(data)
        assert left == 0


class RevokedContract(SocketContract):
    """Who is in when access ends is sent away; who may stay notices nothing."""

    ALL: ClassVar[dict[str, Any]] = {"push": "forget", "prefix": None, "credential": None}
    THIS: ClassVar[dict[str, Any]] = {"push": "forget", "prefix": ITEM, "credential": None}

    async def socket(self, world: World, cookie: str = "s") -> ClientConnection:
        ws = await connect(self.url(world), additional_headers={"Cookie": f"rsconnect={cookie}"}, ping_interval=None)
        world.stack.push_async_callback(ws.close)
        return ws

    async def ended(self, ws: ClientConnection) -> None:
        async with asyncio.timeout(10):
            with pytest.raises(ConnectionClosed):
                await ws.recv()

    async def answers(self, ws: ClientConnection) -> None:
        async with asyncio.timeout(10):
            await ws.send("still here")
            assert await ws.recv() == "still here"

    async def looked_again(self, world: World, times: int) -> None:
        await world.control.wait_for(lambda: len(world.control.asked) >= times)

    @pytest.mark.parametrize("push", ["ALL", "THIS"])
    async def test_a_websocket_ends_with_the_access_to_it(self, world: World, push: str) -> None:
        await self.echo(world)
        ws = await self.socket(world)
        world.control.decisions[ITEM] = {"to": "control", "ttl": 1}
        await world.control.push(getattr(self, push))
        await self.ended(ws)

    async def test_only_those_go_who_may_not_stay(self, world: World) -> None:
        await self.echo(world)
        yes = dict(world.control.decisions[ITEM])
        stays, goes = await self.socket(world, "stays"), await self.socket(world, "goes")
        world.control.decisions[ITEM] = lambda who: yes if who["value"] == "stays" else {"to": "control", "ttl": 1}
        await world.control.push(self.ALL)
        await self.ended(goes)
        await self.answers(stays)

    async def test_who_has_signed_out_is_not_carried_on_as_the_person_of_before(self, world: World) -> None:
        await self.echo(world, user="ann")
        ws = await self.socket(world)
        world.control.decide(ITEM, "pool", user=None)
        await world.control.push(self.ALL)
        await self.ended(ws)

    async def test_a_change_that_takes_nothing_away_is_not_felt(self, world: World) -> None:
        await self.echo(world, user="ann", headers=[["RStudio-Connect-Credentials", '{"user":"ann"}']])
        ws = await self.socket(world)
        world.control.decide(ITEM, "pool", user="ann", headers=[["RStudio-Connect-Credentials", '{"user":"anna"}']])
        await world.control.push(self.THIS)
        await self.looked_again(world, 2)
        await self.answers(ws)

    async def test_a_control_that_does_not_answer_sends_nobody_away(self, world: World) -> None:
        await self.echo(world)
        ws = await self.socket(world)
        world.control.deaf = True
        await world.control.push(self.ALL)
        await self.looked_again(world, 2)
        await world.control.stop()
        await self.answers(ws)

    async def test_an_answer_that_goes_on_is_cut(self, world: World) -> None:
        async def handler(message: Any, reader: Any, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            await reader.read()

        await world.content(handler)
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        async with asyncio.timeout(10):
            await client.reader.readuntil(b"first\r\n")
            world.control.decisions[ITEM] = {"to": "control", "ttl": 1}
            await world.control.push(self.ALL)
            with contextlib.suppress(ConnectionError):
                assert await client.reader.read() == b""

    async def test_an_answer_that_has_not_begun_is_a_refusal(self, world: World) -> None:
        asked = asyncio.Event()

        async def handler(message: Any, reader: Any, writer: Any) -> None:
            asked.set()
            await reader.read()

        await world.content(handler)
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await asked.wait()
        world.control.decisions[ITEM] = {"to": "control", "ttl": 1}
        await world.control.push(self.ALL)
        assert (await client.answer()).status == 403

    async def test_who_waited_for_a_process_while_access_ended_does_not_get_it(self, world: World) -> None:
        server = await world.server()
        world.control.decide(ITEM, "pool")
        gone = asyncio.Event()

        async def starting(_pool: str) -> bool:
            return await gone.wait()

        world.control.on_process = starting
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await world.control.wait_for(lambda: "process" in [one["ask"] for one in world.control.asked])
        world.control.decisions[ITEM] = {"to": "control", "ttl": 1}
        await world.control.push(self.ALL)
        await world.control.push_pool("pool", server)
        assert (await client.answer()).json()["name"] == "control"


class SilentWebSocketContract(SocketContract):
    SETTINGS: ClassVar[dict[str, Any]] = {"connection_timeout": 0.5}

    async def test_a_silent_one_is_ended(self, world: World) -> None:
        await self.echo(world)
        async with asyncio.timeout(10):
            ws = await connect(self.url(world), ping_interval=None)
            with pytest.raises(ConnectionClosed):
                await ws.recv()


class Marked:
    """A world in another thread, for tests that are not asynchronous: counts the requests that reach a process."""

    def __init__(self, portal: BlockingPortal, control: FakeControl, server: Server, port: int) -> None:
        self.portal, self.control, self.server, self.port = portal, control, server, port
        self.number = 0

    def reached(self, sent: bytes, patience: float = 5) -> tuple[list[int], list[str]]:
        """Send ``sent`` on a connection of its own; return the statuses and the targets that arrived.

        ``patience`` is how many seconds the first answer may take; short where perhaps none is due.

        MARKED in ``sent`` is numbered on its way, so that what an earlier call left behind is not counted to this one.
        """
        self.number += 1
        mine = f"/{self.number:06}/"
        sent = sent.replace(b"/000000/", mine.encode())
        self.server.requests.clear()
        self.control.http.requests.clear()
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            client.sendall(sent)
            client.settimeout(patience)
            got = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while data := client.recv(65536):
                    got += data
                    if got.count(b"HTTP/1.1 ") >= 2:
                        break
                    client.settimeout(0.02)
        statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", got)]
        targets = [one.target for one in [*self.server.requests, *self.control.http.requests]]
        return statuses, [one.replace(mine, "/000000/") for one in targets if mine in one or ITEM not in one]


MARKED = f"{ITEM}000000/"
SMUGGLED = f"GET {MARKED}smuggled HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@contextlib.contextmanager
def marked_world(start_gateway: Callable[..., AbstractContextManager[Any]]) -> Iterator[Marked]:
    """For the fixture ``marked`` of a subclass's module."""
    with tempfile.TemporaryDirectory(prefix="rg-") as name, start_blocking_portal() as portal:
        control = FakeControl(Path(name))
        server = Server(Path(name) / "p" / "one" / "s", "one")
        portal.call(control.start)
        portal.call(server.start)
        control.decide(ITEM, "pool")
        portal.call(control.push_pool, "pool", server)
        with start_gateway(Path(name)) as gateway:
            portal.call(control.connected)
            yield Marked(portal, control, server, gateway.port)
        portal.call(server.stop)
        portal.call(control.stop)


class SmugglingContract:
    """Needs a fixture ``marked`` in the subclass's module."""

    @pytest.mark.parametrize(
        "framing",
        [
            b"Content-Length: %(n)d\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: %(n)d",
            b"Content-Length: 0\r\nContent-Length: %(n)d",
            b"Content-Length: %(n)d\r\nContent-Length: 0",
            b"Content-Length: 0, %(n)d",
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            b"Transfer-Encoding: identity, chunked",
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: \x0bchunked",
            b"Transfer-Encoding:\x0c chunked",
            b"Transfer-Encoding\x00: chunked",
            b"X: y\nTransfer-Encoding: chunked",
            b"X: y\rTransfer-Encoding: chunked",
            b"X: y\r\n Transfer-Encoding: chunked",
            b"Content-Length: +0",
            b"Content-Length: 0x0",
            b"Content-Length: -1",
            b"Content-Length : %(n)d",
        ],
    )
    def test_a_request_of_doubtful_length_is_refused_with_all_that_follows(
        self, marked: Marked, framing: bytes
    ) -> None:
        body = b"0\r\n\r\n" + SMUGGLED
        framing = framing.replace(b"%(n)d", b"%d" % len(body))
        statuses, targets = marked.reached(
            b"POST %b HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n%b" % (MARKED.encode(), framing, body)
        )
        assert targets == []
        assert len(statuses) == 1
        assert statuses[0] in {400, 501}

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_one_request_never_becomes_two(self, marked: Marked, data: st.DataObject) -> None:
        """Bodies that look like requests, under framing fields that are spelled in every way."""
        body = data.draw(st.sampled_from([SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED]))
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        names = st.sampled_from([b"Content-Length", b"content-length", b"Transfer-Encoding", b"TRANSFER-ENCODING"])
        before = st.sampled_from([b"", b" ", b"\t", b"\0", b"\r", b"\n", b"\r\n ", b"\x0b"])
        values = st.sampled_from(
            [
                b"%d" % len(body),
                b"%d" % len(chunked),
                b"0%d" % len(body),
                b"chunked",
                b"Chunked",
                b" chunked",
                b"chunked ",
                b"chunked,",
                b"chunked;q=1",
                b"identity",
                b"0",
                b"-0",
                b"1e1",
                b"\xc2\xa0chunked",
                b"chunked\x00",
            ]
        )
        lines = data.draw(st.lists(st.tuples(names, before, before, values), min_size=1, max_size=3))
        head = b"".join(b"%b%b:%b%b\r\n" % line for line in lines)
        sent = b"POST %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (MARKED.encode(), head)
        framed = b"chunked" in head.lower()
        statuses, targets = marked.reached(sent + (chunked if framed else body), patience=0.2)
        if f"{MARKED}smuggled" in targets:
            # Only where the request plainly said that its body was shorter: what follows is the client's own.
            assert head.count(b"\r\n") == 1, (head, targets)
            assert head.partition(b":")[2].strip() in {b"0", b"-0"} or not framed, (head, targets)
        if statuses and statuses[0] in {400, 501}:
            assert targets == []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        parts=st.lists(
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from(
                    [b"GET ", b"POST ", MARKED.encode(), b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Host: a", b": "]
                ),
                st.sampled_from([b"Content-Length: 3", b"Transfer-Encoding: chunked", b"0\r\n\r\n", b"\n", b"abc"]),
            ),
            max_size=25,
        )
    )
    def test_any_bytes_are_survived(self, marked: Marked, parts: list[bytes]) -> None:
        marked.reached(b"".join(parts), patience=0.1)
        assert marked.reached(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == ([200], ["/"])
