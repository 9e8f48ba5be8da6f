"""Control's end of the line to gateways, with visits that are played."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rostra.app.decide_socket import DecideSocket

pytestmark = pytest.mark.anyio


class Played:
    """Answers what it is asked with the question, after ``gate`` when it is about a slow pool."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.heard: list[Mapping[str, Any]] = []

    async def decide(self, path: str, credential: Mapping[str, str]) -> dict[str, Any]:
        if path == "/broken":
            raise RuntimeError("a bug")
        return {"to": "control", "ttl": 1, "asked": path}

    async def process(self, pool: str) -> bool:
        await self.gate.wait()
        return True

    async def told(self, message: dict[str, Any]) -> None:
        self.heard.append(message)
        if message["tell"] == "nonsense":
            raise KeyError("field")

    def greeting(self) -> list[dict[str, Any]]:
        return [{"push": "vanities", "paths": []}]


class Line:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self.reader.readline())

    def say(self, *messages: object) -> None:
        self.writer.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return await self.reader.read() == b""


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
async def socket(played: Played, tmp_path: Path) -> AsyncIterator[DecideSocket]:
    made = DecideSocket(played)
    async with made.serve(tmp_path / "d"):
        yield made


@pytest.fixture
async def line(socket: DecideSocket, tmp_path: Path) -> AsyncIterator[Line]:
    async with connection(tmp_path) as made:
        assert (await made.hear())["push"] == "vanities"
        yield made


@contextlib.asynccontextmanager
async def connection(folder: Path) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_unix_connection(folder / "d")
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def test_only_this_account_may_ask(socket: DecideSocket, tmp_path: Path) -> None:
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o600


async def test_a_slow_answer_holds_up_no_other(line: Line, played: Played) -> None:
    ask = {"ask": "decide", "credential": {"scheme": "none", "value": ""}}
    line.say(
        {"id": 1, "ask": "process", "pool": "slow"}, {"id": 2, **ask, "path": "/a"}, {"id": 3, **ask, "path": "/b"}
    )
    assert {(answer := await line.hear())["id"]: answer["asked"] for _ in range(2)} == {2: "/a", 3: "/b"}
    played.gate.set()
    assert await line.hear() == {"id": 1, "ready": True}


async def test_a_bug_passes_the_request_to_control_where_it_is_shown(line: Line) -> None:
    line.say({"id": 1, "ask": "decide", "path": "/broken", "credential": {}})
    answer = await line.hear()
    assert (answer["id"], answer["to"], answer["ttl"]) == (1, "control", 0)


async def test_what_is_not_understood_ends_nothing(line: Line, played: Played) -> None:
    line.say({"tell": "nonsense"}, {"no": "message"}, {"tell": "hello", "loads": {}})
    line.say({"id": 1, "ask": "decide", "path": "/a", "credential": {}})
    assert (await line.hear())["id"] == 1
    assert [message["tell"] for message in played.heard] == ["nonsense", "hello"]


@pytest.mark.parametrize("sent", [b"no json\n", b"x" * 1_100_000])
async def test_a_line_that_is_none_ends_the_connection(line: Line, sent: bytes) -> None:
    line.writer.write(sent)
    assert await line.ended()


async def test_every_gateway_hears_what_is_pushed(socket: DecideSocket, line: Line, tmp_path: Path) -> None:
    async with connection(tmp_path) as second:
        await second.hear()
        socket.push({"push": "forget", "prefix": None, "credential": None})
        for each in (line, second):
            assert (await each.hear())["push"] == "forget"


async def test_a_gateway_that_does_not_read_is_dropped(socket: DecideSocket, line: Line) -> None:
    line.reader._transport.pause_reading()  # type: ignore[attr-defined]
    push = {"push": "pool", "pool": "x" * 1_000_000, "processes": [], "comfort": 0}
    for _ in range(20):
        socket.push(push)
        await asyncio.sleep(0)
    line.reader._transport.resume_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while await line.reader.read(1_000_000):
                pass


async def test_leaving_ends_open_questions(played: Played, tmp_path: Path) -> None:
    async with DecideSocket(played).serve(tmp_path / "d"), connection(tmp_path) as line:
        await line.hear()
        line.say({"id": 1, "ask": "process", "pool": "slow"})
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()} or len(asyncio.all_tasks()) <= 3
