"""The gateway as the process it is in production: inherited socket, signals, memory, and what it does not import."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fake_control import FakeControl
from support.gateways import ProcessGateway
from support.raw_http import Client, Server, answer

ITEM = "/content/0a1b/"
MIB = 1024 * 1024
SIZE = 200 * MIB


@pytest.fixture
async def control() -> AsyncIterator[FakeControl]:
    with tempfile.TemporaryDirectory(prefix="rg-") as name:
        async with FakeControl(Path(name)) as control:
            yield control


async def _counts(message, reader, writer) -> None:
    """Answer with how much was uploaded, or send as much when nothing was."""
    if message.get("transfer-encoding"):
        size = 0
        while part := int(await reader.readline(), 16):
            size += len(await reader.readexactly(part + 2)) - 2
        await reader.readline()
        writer.write(answer(b"%d" % size))
    elif length := int(message.get("content-length") or 0):
        while length:
            length -= len(await reader.read(min(length, MIB)))
        writer.write(answer(b"all"))
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(SIZE // MIB):
            writer.write(b"100000\r\n" + b"x" * MIB + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")


async def test_large_bodies_pass_in_constant_memory(control: FakeControl) -> None:
    server = await Server(control.run_dir / "p" / "one" / "s", "one", _counts).start()
    control.decide(ITEM, "pool")
    await control.push_pool("pool", server)
    with ProcessGateway(control.run_dir) as gateway:
        await control.connected()
        client = await Client.connect(gateway.port, limit=4 * MIB)
        await client.send(f"POST {ITEM} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".encode())
        assert (await client.answer()).body == b"all"
        before = gateway.resident_bytes
        await client.send(f"POST {ITEM} HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n".encode())
        for _ in range(SIZE // MIB):
            await client.send(b"x" * MIB)
        assert (await client.answer()).body == b"all"
        await client.send(f"POST {ITEM} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(SIZE // MIB):
            await client.send(b"100000\r\n" + b"x" * MIB + b"\r\n")
        await client.send(b"0\r\n\r\n")
        assert (await client.answer()).body == b"%d" % SIZE
        await client.send(f"GET {ITEM} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"chunked" in head
        got = 0
        while size := int(await client.reader.readline(), 16):
            got += len(await client.reader.readexactly(size + 2)) - 2
        assert got == SIZE
        assert gateway.resident_bytes - before < 16 * MIB
        await client.close()
    await server.stop()


async def test_it_finishes_what_it_began_when_told_to_end(control: FakeControl) -> None:
    gate = asyncio.Event()

    async def handler(message, reader, writer) -> None:
        await gate.wait()
        writer.write(answer(b"x"))

    server = await Server(control.run_dir / "p" / "one" / "s", "one", handler).start()
    control.decide(ITEM, "pool")
    await control.push_pool("pool", server)
    with ProcessGateway(control.run_dir, drain_timeout=5) as gateway:
        await control.connected()
        client = await Client.connect(gateway.port)
        asking = asyncio.create_task(client.ask(ITEM))
        while not server.requests:
            await asyncio.sleep(0.01)
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        gate.set()
        assert (await asking).body == b"x"
        assert await asyncio.to_thread(gateway.process.wait, 5) == 0
        await client.close()
    await server.stop()


async def test_it_does_not_wait_for_ever_when_told_to_end(control: FakeControl) -> None:
    async def handler(message, reader, writer) -> None:
        await asyncio.sleep(60)

    server = await Server(control.run_dir / "p" / "one" / "s", "one", handler).start()
    control.decide(ITEM, "pool")
    await control.push_pool("pool", server)
    with ProcessGateway(control.run_dir, drain_timeout=0.2) as gateway:
        await control.connected()
        client = await Client.connect(gateway.port)
        asking = asyncio.create_task(client.ask(ITEM))
        while not server.requests:
            await asyncio.sleep(0.01)
        gateway.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.process.wait, 5) == 0
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asking
        await client.close()
    await server.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_another_gateway_takes_the_socket_over(control: FakeControl, how: signal.Signals) -> None:
    """What the supervisor does after a crash or an update: whoever connected meanwhile is served."""
    with ProcessGateway(control.run_dir) as gateway:
        await control.connected()
        gateway.process.send_signal(how)
        await asyncio.to_thread(gateway.process.wait)
        client = await Client.connect(gateway.port)
        asking = asyncio.create_task(client.ask("/"))
        gateway.start()
        assert (await asking).status == 200
        await client.close()


def test_wrong_settings_are_said_and_end_it() -> None:
    command = [sys.executable, "-m", "rostra.gateway", "--listen", "127.0.0.1:0", "--run-dir", "/nowhere"]
    ended = subprocess.run([*command, "--settings", '{"adress": ""}'], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "no setting is called 'adress'" in ended.stderr


def test_it_imports_neither_database_nor_web_framework() -> None:
    code = "import rostra.gateway.server, sys; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"sqlalchemy", "starlette", "fastapi", "pydantic", "jinja2", "anyio", "structlog", "uvicorn", "typer"}
    assert not heavy & {name.partition(".")[0] for name in loaded}
    with contextlib.suppress(ValueError):
        loaded.remove("rostra")
    assert {name for name in loaded if name.startswith("rostra.") and not name.startswith("rostra.gateway")} <= {
        "rostra.errors",
        "rostra.clock",
        "rostra.execution",
        "rostra.execution.sockets",  # the standard library only: how to reach content without being led elsewhere
    }
