"""Answering on control.sock, and stopping."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from rostra.app.serving import Signals, serve

pytestmark = pytest.mark.anyio


class Answers:
    """``/slow`` answers once ``go`` is set."""

    def __init__(self) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.app = Starlette(routes=[Route("/slow", self.slow), Route("/", lambda _: PlainTextResponse("here"))])

    async def slow(self, _request: Request) -> PlainTextResponse:
        self.begun.set()
        await self.go.wait()
        return PlainTextResponse("done")


async def get(path: Path, where: str) -> str:
    async with httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(path)), base_url="http://c") as client:
        return (await client.get(where)).text


async def test_it_answers_from_when_it_says_so_for_this_account_only(tmp_path: Path) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(Answers().app, tmp_path / "c", stop, ready.set))
    await ready.wait()
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
    assert await get(tmp_path / "c", "/") == "here"
    stop.set()
    await serving


async def test_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("left")
    stop = asyncio.Event()
    stop.set()
    await serve(Answers().app, tmp_path / "c", stop)


async def test_an_answer_on_its_way_is_finished_before_the_end(tmp_path: Path) -> None:
    stop, answers = asyncio.Event(), Answers()
    serving = asyncio.create_task(serve(answers.app, tmp_path / "c", stop))
    asking = asyncio.create_task(get(tmp_path / "c", "/slow"))
    await answers.begun.wait()
    stop.set()
    await asyncio.sleep(0)
    answers.go.set()
    assert await asking == "done"
    await serving


async def test_signals_stop_and_hang_up() -> None:
    signals, heard = Signals(), asyncio.Semaphore(0)
    os.kill(os.getpid(), signal.SIGHUP)  # before anybody said what to do: not the end, and not forgotten
    await asyncio.sleep(0.01)
    async with asyncio.TaskGroup() as group:

        async def work() -> None:
            heard.release()

        signals.on_hangup(group, work)
        await asyncio.wait_for(heard.acquire(), 30)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(heard.acquire(), 30)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(signals.stop.wait(), 5)
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(signum)
