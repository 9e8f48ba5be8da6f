"""The API behind a real HTTP server and a real socket: a client that is refused while it sends can read why."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from support.api import World, bundle, item_of

pytestmark = [pytest.mark.anyio, pytest.mark.server]
PIECE = bytes(65_536)


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(world.app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            yield listener.getsockname()[1]
            server.should_exit = True


def send(port: int, path: str, key: str, pieces: Iterator[bytes]) -> tuple[int, bytes, str]:
    """Send everything before reading anything, as the publishing client does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Authorization": f"Key {key}"}
        connection.request("POST", f"/__api__/{path}", pieces, headers, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get_content_type()
    finally:
        connection.close()


@pytest.mark.parametrize(("case", "status"), [("bad key", 401), ("no such content", 404), ("no such route", 404)])
async def test_a_large_upload_that_is_refused_is_answered(world: World, case: str, status: int) -> None:
    guid = (await item_of(world))["guid"]
    key = "wrong" if case == "bad key" else world.keys["ada"]
    path = {"no such content": "v1/content/x/bundles", "no such route": "v1/x"}.get(case, f"v1/content/{guid}/bundles")
    async with listening(world) as port:
        told, body, kind = await asyncio.to_thread(send, port, path, key, iter([PIECE] * 400))
    assert (told, kind) == (status, "text/plain" if case == "no such route" else "application/json")
    assert body


async def test_a_chunked_upload_is_stored(world: World) -> None:
    guid, data = (await item_of(world))["guid"], bundle()
    pieces = iter([data[start : start + 50] for start in range(0, len(data), 50)])
    async with listening(world) as port:
        told, body, _ = await asyncio.to_thread(send, port, f"v1/content/{guid}/bundles", world.keys["ada"], pieces)
    assert told == 201, body


async def test_a_client_that_goes_away_leaves_nothing(world: World) -> None:
    guid = (await item_of(world))["guid"]
    async with listening(world) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"POST /__api__/v1/content/{guid}/bundles HTTP/1.1\r\nHost: x\r\nAuthorization: Key {world.keys['ada']}\r\n"
        )
        writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + bytes(1000) + b"\r\n")
        await writer.drain()
        folder = world.live.places.bundles(guid)
        async with asyncio.timeout(10):
            while not (folder.exists() and list(folder.iterdir())):
                await asyncio.sleep(0.01)
            writer.close()
            while list(folder.iterdir()):
                await asyncio.sleep(0.01)
    assert await world.client("ada").read(f"v1/content/{guid}/bundles") == []
