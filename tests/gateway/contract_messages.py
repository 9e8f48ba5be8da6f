"""What every data plane must do with messages: framing, bodies, interim answers, and ends that come too early."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar

import pytest
from gateway.contract import ITEM, Contract, World
from support.raw_http import Message, answer, read_body, read_head

HEAD = f"{ITEM} HTTP/1.1\r\nHost: a\r\n".encode()


def says(data: bytes, *, close: bool = False):
    """A handler that answers every request with ``data``, and ends the connection if ``close``."""

    async def handler(message, reader, writer) -> None:
        await read_body(reader, message)
        writer.write(data)
        if close:
            writer.close()

    return handler


class MessagesContract(Contract):
    async def test_connections_are_kept_on_both_sides(self, world: World) -> None:
        server = await world.content()
        client = await world.client()
        for number in range(5):
            assert (await client.ask(f"{ITEM}{number}", method="POST", body=b"x" * number)).status == 200
        assert server.connections == 1

    async def test_pipelined_requests_are_answered_in_order(self, world: World) -> None:
        await world.content()
        client = await world.client()
        requests = b"".join(b"GET %s%d HTTP/1.1\r\nHost: a\r\n\r\n" % (ITEM.encode(), n) for n in range(50))
        await client.send(b"POST " + HEAD + b"Content-Length: 5\r\n\r\nhello" + requests)
        assert (await client.answer()).json()["body"] == "hello"
        for number in range(50):
            assert (await client.answer()).json()["start"] == f"GET {ITEM}{number} HTTP/1.1"

    async def test_many_pipelined_redirects(self, world: World) -> None:
        world.control.decisions[ITEM.rstrip("/")] = {"redirect": ITEM, "ttl": 60}
        client = await world.client()
        assert (await client.ask(ITEM.rstrip("/"))).status == 307
        await client.send(f"GET {ITEM.rstrip('/')} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 3000)
        for _ in range(3000):
            assert (await client.answer()).status == 307

    async def test_empty_lines_before_a_request_are_skipped(self, world: World) -> None:
        client = await world.client()
        await client.send(b"\r\n\r")
        await client.send(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer()).status == 200

    async def test_a_request_may_come_one_byte_at_a_time(self, world: World) -> None:
        await world.content()
        client = await world.client()
        request = b"POST " + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n"
        for byte in request:
            await client.send(bytes([byte]))
            await asyncio.sleep(0)
        told = (await client.answer()).json()
        assert told["body"] == "abcde"
        assert "T" not in dict(told["fields"])

    async def test_an_answer_may_come_one_byte_at_a_time(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)

        server = await world.content(handler)
        client = await world.client()
        for _ in range(2):
            got = await client.ask(ITEM)
            assert (got.body, got.chunked, got.whole) == (b"abc", True, True)
        assert server.connections == 1

    @pytest.mark.parametrize(
        ("said", "body", "chunked", "why"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc", False, "a length"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc", True, "chunks"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", False, "nothing"),
            (b"HTTP/1.1 204 No Content\r\n\r\n", b"", False, "no body by its status"),
            (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", b"", False, "no body by its status"),
            (b"HTTP/1.1 404 Gone Fishing\r\nContent-Length: 3\r\n\r\nabc", b"abc", False, "another status and phrase"),
        ],
    )
    async def test_framing_of_answers(self, world: World, said: bytes, body: bytes, chunked: bool, why: str) -> None:
        server = await world.content(says(said))
        client = await world.client()
        for _ in range(2):
            got = await client.ask(ITEM)
            assert (got.body, got.chunked, got.whole) == (body, chunked, True), why
            assert got.start == said.partition(b"\r\n")[0].decode()
        assert server.connections == 1, why

    @pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n"])
    async def test_an_answer_until_the_end_of_the_connection_gets_an_end_of_its_own(
        self, world: World, start: bytes
    ) -> None:
        await world.content(says(start + b"X: y\r\n\r\nabc", close=True))
        client = await world.client()
        for _ in range(2):
            got = await client.ask(ITEM)
            assert (got.body, got.chunked, got.whole) == (b"abc", True, True)

    async def test_head_has_the_fields_and_no_body(self, world: World) -> None:
        server = await world.content(says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
        client = await world.client()
        for _ in range(3):
            got = await client.ask(ITEM, method="HEAD")
            assert (got.status, got.get("content-length")) == (200, "1000")
        assert server.connections == 1

    async def test_old_clients_get_what_they_understand(self, world: World) -> None:
        await world.content(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
        client = await world.client()
        await client.send(f"GET {ITEM} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
        got = await client.answer()
        assert (got.body, got.get("transfer-encoding"), got.get("connection")) == (b"abc", None, "close")

    async def test_old_clients_may_stay(self, world: World) -> None:
        await world.content(says(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
        client = await world.client()
        for _ in range(2):
            await client.send(f"GET {ITEM} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".encode())
            got = await client.answer()
            assert (got.body, got.get("connection")) == (b"abc", "keep-alive")
        await client.send(f"GET {ITEM} HTTP/1.0\r\n\r\n".encode())
        assert (await client.answer()).get("connection") == "close"
        assert await client.is_closed()

    async def test_a_client_that_wants_to_end_is_let_go(self, world: World) -> None:
        client = await world.client()
        assert (await client.ask("/", "Connection: close")).get("connection") == "close"
        assert await client.is_closed()

    async def test_a_process_that_ends_its_connection_does_not_end_the_clients(self, world: World) -> None:
        server = await world.content(says(answer(b"x", "Connection: close"), close=True))
        client = await world.client()
        for _ in range(3):
            got = await client.ask(ITEM)
            assert (got.status, got.get("connection")) == (200, None)
        assert server.connections == 3

    async def test_interim_answers_pass(self, world: World) -> None:
        await world.content(says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + answer(b"x")))
        client = await world.client()
        await client.send(b"GET " + HEAD + b"\r\n")
        for _ in range(3):
            hint = await client.answer()
            assert (hint.status, hint.get("link")) == (103, "x")
        assert (await client.answer()).body == b"x"

    async def test_a_client_that_asks_first_is_told_to_continue(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            assert message.get("expect") == "100-continue"
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await read_body(reader, message)
            writer.write(answer(message.body))

        await world.content(handler)
        client = await world.client()
        for _ in range(2):
            await client.send(b"POST " + HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            assert (await client.answer()).status == 100
            await client.send(b"hello")
            assert (await client.answer()).body == b"hello"

    async def test_a_client_that_asks_first_and_is_refused_must_come_again(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            writer.write(answer(b"no", status="413 Too Large"))

        await world.content(handler)
        client = await world.client()
        await client.send(b"POST " + HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        got = await client.answer()
        assert (got.status, got.get("connection")) == (413, "close")


class EarlyEndContract(Contract):
    @pytest.mark.parametrize("closes", [False, True])
    async def test_who_is_refused_early_reads_why(self, world: World, closes: bool) -> None:
        async def handler(message, reader, writer) -> None:
            writer.write(answer(b"too large", status="413 Too Large"))
            await writer.drain()
            if closes:
                writer.close()
            else:
                await asyncio.sleep(60)

        await world.content(handler)
        client = await world.client()
        await client.send(b"POST " + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):  # a client that reads nothing before it has sent everything
            await client.send(b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000))
        await client.send(b"0\r\n\r\n")
        got = await client.answer()
        assert (got.status, got.body) == (413, b"too large")
        assert (await client.ask("/")).json()["name"] == "control"

    @pytest.mark.parametrize(
        "said",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        ],
    )
    async def test_an_answer_that_is_cut_short_is_seen_to_be(self, world: World, said: bytes) -> None:
        await world.content(says(said, close=True))
        client = await world.client()
        got = await client.ask(ITEM)
        assert (got.status, got.whole) == (200, False)

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            (b"", "nothing"),
            (b"HTTP/1.1 200 OK\r\nX:", "half a head"),
            (b"hello\r\n\r\n", "no HTTP"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "two lengths"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two lengths"),
            (b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n", "a bare line feed"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX", "a chunk that is no chunk"),
            (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "a change nobody asked for"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", "a head without end"),
        ],
    )
    async def test_what_is_no_answer_is_a_bad_gateway(self, world: World, said: bytes, why: str) -> None:
        await world.content(says(said, close=True))
        client = await world.client()
        for _ in range(2):
            assert (await client.ask(ITEM)).status == 502, why
        assert (await client.ask("/")).status == 200

    async def test_more_than_the_answer_is_nobodys(self, world: World) -> None:
        server = await world.content(says(answer(b"x") + answer(b"for the next visitor")))
        client, other = await world.client(), await world.client()
        for one in (client, other, client):
            assert (await one.ask(ITEM)).body == b"x"
        assert server.connections == 3

    async def test_what_comes_unasked_is_nobodys(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            writer.write(answer(b"x"))
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(answer(b"for the next visitor"))

        await world.content(handler)
        client = await world.client()
        for _ in range(2):
            assert (await client.ask(ITEM)).body == b"x"
            await asyncio.sleep(0.1)

    @pytest.mark.parametrize(
        ("method", "body", "expected", "why"),
        [
            ("GET", b"", 200, "nothing is lost by asking again"),
            ("PUT", b"abc", 200, "twice is the same as once"),
            ("POST", b"", 200, "no body, so nothing was half done"),
            ("POST", b"abc", 502, "it may have been done already"),
        ],
    )
    async def test_a_stale_connection(self, world: World, method: str, body: bytes, expected: int, why: str) -> None:
        async def handler(message, reader, writer) -> None:
            await read_body(reader, message)
            if sum(one.target == ITEM for one in server.requests) == 1 and message.target == ITEM:
                writer.transport.abort()  # as a server does whose patience ends just then
            else:
                writer.write(answer(b"x"))

        server = await world.content(handler)
        client = await world.client()
        assert (await client.ask(ITEM + "first")).status == 200
        assert (await client.ask(ITEM, method=method, body=body)).status == expected, why

    async def test_a_new_connection_that_breaks_is_not_tried_again(self, world: World) -> None:
        server = await world.content(says(b"", close=True))
        assert (await (await world.client()).ask(ITEM)).status == 502
        assert len(server.requests) == 1

    async def test_both_may_stream_at_once(self, world: World) -> None:
        async def handler(message, reader, writer) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while size := int(await reader.readline(), 16):
                data = await reader.readexactly(size + 2)
                writer.write(b"%x\r\n%b" % (size, data))
            await reader.readline()
            writer.write(b"0\r\n\r\n")

        await world.content(handler)
        client = await world.client()
        await client.send(b"POST " + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        got: Message | None = None
        for word in (b"one", b"two", b"three"):
            await client.send(b"%x\r\n%b\r\n" % (len(word), word))
            async with asyncio.timeout(5):
                got = got or await read_head(client.reader)
                assert await client.reader.readline() == b"%x\r\n" % len(word)
                assert await client.reader.readexactly(len(word) + 2) == word + b"\r\n"
        await client.send(b"0\r\n\r\n")
        assert await client.reader.readexactly(5) == b"0\r\n\r\n"

    async def test_a_body_that_breaks_off_never_looks_whole(self, world: World) -> None:
        seen: list[bool] = []
        done = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            await read_body(reader, message)
            seen.append(message.whole)
            done.set()

        await world.content(handler)
        for broken in (b"3\r\nabcX", b"3\r\nabc\r\nzz\r\n"):
            client = await world.client()
            await client.send(b"POST " + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await asyncio.sleep(0.05)
            await client.send(broken)
            assert (await client.answer()).status == 400
            assert await client.is_closed()
            async with asyncio.timeout(5):
                await done.wait()
            done.clear()
        assert seen == [False, False]

    async def test_stopping_lets_requests_finish(self, world: World, start_gateway) -> None:
        gate = asyncio.Event()

        async def handler(message, reader, writer) -> None:
            await gate.wait()
            writer.write(answer(b"x"))

        server = await world.content(handler)
        gateway = start_gateway(world.run_dir, drain_timeout=5)
        await asyncio.to_thread(gateway.__enter__)
        busy, idle = await world.client(gateway.port), await world.client(gateway.port)
        assert (await idle.ask("/")).status == 200
        asking = asyncio.create_task(busy.ask(ITEM))
        while not server.requests:
            await asyncio.sleep(0.01)
        gateway.stop()
        assert await idle.is_closed()
        with contextlib.suppress(ConnectionError):
            late = await world.client(gateway.port)
            assert await late.is_closed()
        gate.set()
        got = await asking
        assert (got.body, got.get("connection")) == (b"x", "close")
        assert await busy.is_closed()
        await asyncio.to_thread(gateway.__exit__, None, None, None)


class PrefixContract(Contract):
    SETTINGS: ClassVar[dict[str, Any]] = {"address": "https://outer.test/rsc", "path_prefix": "/rsc"}

    async def test_requests_come_with_the_prefix_or_without(self, world: World) -> None:
        await world.content(sticky=True)
        client = await world.client()
        for path in ("/rsc" + ITEM + "x", ITEM + "x"):
            got = await client.ask(path)
            told = got.json()
            fields = dict(told["fields"])
            assert told["start"] == f"GET {ITEM}x HTTP/1.1"
            assert fields["X-RSC-Request"] == f"https://outer.test/rsc{ITEM}x"
            assert fields["RStudio-Connect-App-Base-URL"] == f"https://outer.test/rsc{ITEM}".rstrip("/")
            assert fields["X-Forwarded-Proto"] == "https"
            cookie = got.get("set-cookie")
            assert cookie == f"rostra-process=one; Path=/rsc{ITEM}; HttpOnly; SameSite=Lax; Secure"

    async def test_control_knows_whether_it_was_there(self, world: World) -> None:
        client = await world.client()
        with_it, without = (await client.ask("/rsc/connect/")).json(), (await client.ask("/connect/")).json()
        assert with_it["start"] == without["start"] == "GET /connect/ HTTP/1.1"
        assert dict(with_it["fields"])["X-Rostra-Prefix"] == "/rsc"
        assert "X-Rostra-Prefix" not in dict(without["fields"])

    async def test_redirects_carry_the_prefix(self, world: World) -> None:
        world.control.decisions[ITEM.rstrip("/")] = {"redirect": ITEM, "ttl": 60}
        assert (await (await world.client()).ask("/rsc" + ITEM.rstrip("/"))).get("location") == "/rsc" + ITEM
