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
from support.raw_http import Client, Handler, Server, answer

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
            await stack.enter_async_context(in_thread(gateway))
            world.port = gateway.port
            await control.connected()
            yield world


@contextlib.asynccontextmanager
async def in_thread(gateway: AbstractContextManager[Any]) -> AsyncIterator[None]:
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
