"""The notice beside a document that is being refreshed."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import uvicorn
from playwright.sync_api import Browser, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from support.controlling import World

from rostra.app import notices
from rostra.content.tables import Item
from rostra.db.engine import transaction
from rostra.jobs.tables import Task
from rostra.rendering import variants

PAGE = (
    "<!doctype html><html><head><style>*{display:none!important;color:red!important}"
    "html,body,h1{display:block!important}</style></head>"
    "<body><h1>Figures</h1><script>window.before = document.querySelectorAll('*').length</script></body></html>\n"
)
PERSON = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


async def shown(world: World, *, page: str = PAGE) -> str:
    """Return the guid of a document anybody may visit, with this page as its rendering."""
    guid = await world.document("all")
    folder = world.control.tools.places.data_dir / f"renderings/{guid}/1"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(page)
    return guid


async def begun(world: World, guid: str, kind: str = "render", **payload: object) -> None:
    """Store a task as if a worker were busy with it, so that it stays."""
    now = world.house.clock.now()
    async with transaction(world.control.tools.sessions) as session:
        item = (await session.execute(sa.select(Item).where(Item.guid == guid))).scalar_one()
        variant = await variants.default(session, item, now)
        told = {"guid": guid, "variant_id": variant.id, "activate": True, **payload}
        session.add(
            Task(
                id="held", kind=kind, payload=told, subject=guid, created_at=now, started_at=now,
                leased_until=now.replace(year=now.year + 1), worker="elsewhere",
            )
        )  # fmt: skip


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["render", "scheduled-render", "deploy"])
async def test_who_opens_it_while_it_is_refreshed_is_told_beside_the_last_one(world: World, kind: str) -> None:
    guid = await shown(world)
    await begun(world, guid, kind)
    answer = await world.get(f"/content/{guid}/", **PERSON)
    assert answer.status_code == 200
    assert answer.text.startswith(PAGE)
    assert notices.REFRESHING in answer.text
    assert (answer.headers["cache-control"], "etag" in answer.headers) == ("no-store", False)
    assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize(
    ("path", "headers", "why"),
    [
        ("", {}, "a program reads it"),
        ("", {**PERSON, "sec-fetch-dest": "iframe"}, "it is part of another page"),
        ("", {**PERSON, "sec-fetch-dest": "empty", "sec-fetch-mode": "cors"}, "a script loads it"),
        ("index.html", PERSON, "a file of it was asked for by its name"),
        ("_rev1/", PERSON, "this very revision was asked for"),
    ],
)
async def test_the_page_is_exactly_the_authors_where(
    world: World, path: str, headers: dict[str, str], why: str
) -> None:
    guid = await shown(world)
    await begun(world, guid)
    given = {name.replace("-", "_"): value for name, value in headers.items()}
    assert (await world.get(f"/content/{guid}/{path}", **given)).text == PAGE, why


@pytest.mark.parametrize(
    ("payload", "page"),
    [({"activate": False}, PAGE), ({"variant_id": 10_000}, PAGE), ({}, "<p>a piece of a page"), ({}, "\ufeffx")],
)
async def test_nothing_is_said_when_it_is_not_so_or_would_not_fit(
    world: World, payload: dict[str, object], page: str
) -> None:
    guid = await shown(world, page=page)
    await begun(world, guid, **payload)
    assert (await world.get(f"/content/{guid}/", **PERSON)).text == page


async def test_nothing_is_said_once_it_is_made(world: World) -> None:
    guid = await shown(world)
    answer = await world.get(f"/content/{guid}/", **PERSON)
    assert (answer.text, "etag" in answer.headers) == (PAGE, True)


def test_words_are_escaped() -> None:
    assert b"&lt;b&gt; caf&#233;" in notices.element("<b> café")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server with the page as it is at /, and with its notice at /noticed."""
    (tmp_path / "index.html").write_text(PAGE)

    async def plain(_request: Request) -> Response:
        return FileResponse(tmp_path / "index.html")

    async def noticed(_request: Request) -> Response:
        answer = await notices.beside(tmp_path / "index.html", "text/html", notices.REFRESHING)
        assert answer is not None
        return answer

    app = Starlette(routes=[Route("/", plain), Route("/noticed", noticed)])
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    switches = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=chromium, args=switches)
        yield made
        made.close()


@pytest.mark.browser
def test_the_notice_is_seen_closed_and_not_printed_and_the_page_stays_as_it_was(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    before = page.locator("h1").bounding_box()
    everything = page.evaluate("document.querySelectorAll('*').length")
    page.goto(f"{address}/noticed")
    assert page.locator("h1").bounding_box() == before
    assert page.evaluate("document.querySelectorAll('*').length") == everything + 1
    assert page.evaluate("document.body.innerText").strip() == "Figures"  # the notice is in a root of its own
    box = page.locator("body > div").bounding_box()
    assert box is not None
    assert box["width"] > 100
    assert box["height"] > 20
    page.emulate_media(media="print")
    printed = page.locator("body > div").bounding_box()
    assert printed is None or printed["height"] == 0
    page.emulate_media(media="screen")
    page.mouse.click(box["x"] + box["width"] - 22, box["y"] + box["height"] / 2)
    closed = page.locator("body > div").bounding_box()
    assert closed is None or closed["height"] == 0
