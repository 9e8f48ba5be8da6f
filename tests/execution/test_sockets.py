from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rostra.execution import sockets

pytestmark = pytest.mark.anyio


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield path


def test_a_listening_socket_accepts(listening: Path) -> None:
    assert sockets.accepts(listening)


def test_a_link_to_a_socket_is_not_followed(listening: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(listening)
    assert not sockets.accepts(link)
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the kernel
        sockets.connect(link)


def test_what_is_no_socket_does_not_accept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not sockets.accepts(tmp_path / "file")
    assert not sockets.accepts(tmp_path / "missing")


def test_a_socket_nobody_listens_on_does_not_accept(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
    assert not sockets.accepts(tmp_path / "s")


async def test_waiting_ends_when_it_accepts(tmp_path: Path) -> None:
    waiting = asyncio.create_task(sockets.wait_until_accepting(tmp_path / "s", asyncio.Event(), 10))
    await asyncio.sleep(0)
    server = await asyncio.start_unix_server(lambda _r, writer: writer.close(), tmp_path / "s")
    assert await waiting
    server.close()


async def test_waiting_ends_with_the_process(tmp_path: Path) -> None:
    ended = asyncio.Event()
    waiting = asyncio.create_task(sockets.wait_until_accepting(tmp_path / "s", ended, 10))
    await asyncio.sleep(0)
    ended.set()
    assert not await waiting


async def test_waiting_ends_with_the_time(tmp_path: Path) -> None:
    assert not await sockets.wait_until_accepting(tmp_path / "s", asyncio.Event(), 0.01)
