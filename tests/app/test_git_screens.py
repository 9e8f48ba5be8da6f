"""Publishing from Git with the dashboard's forms, through a browser without script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import git_server
from support.browsing import browser
from support.controlling import ORIGIN, House, World
from support.git_server import GitServer, Remote

from rostra.config.sections import Settings
from rostra.content.git import find

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(find(Settings()) is None, reason="git is not installed")]


@pytest.fixture
def house(house: House) -> House:
    """As root, git runs as another account, which reaches the tests' folders only through the sandbox."""
    (house.folder / "rostra.gcfg").write_text(f"[Server]\nDataDir = {house.folder}\nAddress = {ORIGIN}\n")
    return house


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server.serving(tmp_path) as made:
        yield made


@pytest.fixture
def remote(server: GitServer) -> Remote:
    return server.remote()


async def all_done(world: World) -> None:
    for task in await world.tasks():
        await world.finished(task.id, "root")


async def test_a_repository_is_published_and_updated(world: World, remote: Remote) -> None:
    remote.site("first", folder="site")
    async with browser(world, "ada") as ada:
        await ada.open("/connect/git")
        await ada.submit("/git/publish", {"repository": remote.url, "directory": "site", "title": "My site"})
        await all_done(world)
        (made,) = await world.api("GET", "content?name=My-site")
        commit = remote.site("second", folder="site")
        page = await ada.open(f"/connect/apps/{made['guid']}/git")
        assert remote.url in page
        await ada.submit("/git/update")
        await all_done(world)
        assert commit in await ada.open(f"/connect/apps/{made['guid']}/git")
        page = await ada.open(f"/connect/apps/{made['guid']}")
        assert commit[:12] in page
        assert '<span class="chip">from Git</span>' in page
        assert "from Git" in await ada.open("/connect/")
    assert "second" in (await world.get(f"/content/{made['guid']}/", "ada")).text


async def test_a_wrong_address_leaves_no_item_and_keeps_what_was_written(world: World) -> None:
    async with browser(world, "ada") as ada:
        await ada.open("/connect/git")
        page = await ada.submit("/git/publish", {"repository": "ssh://git@h/x", "branch": "next", "title": "Kept"})
    assert "https or http only" in page
    assert 'value="next"' in page
    assert 'value="Kept"' in page
    assert await world.api("GET", "content") == []


async def test_what_went_wrong_stands_on_the_pages_of_the_item(world: World, remote: Remote) -> None:
    remote.commit(readme="no manifest")
    guid = await world.item()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/git")
        await ada.submit("/git/save", {"repository": remote.url, "polling": "on"})
        assert "Saved." in ada.page
        await ada.submit("/git/update")
        await all_done(world)
        for path in (f"/connect/apps/{guid}/git", f"/connect/apps/{guid}"):
            assert "manifest.json in the directory" in (await ada.open(path)).replace("&#39;", "'")
        await ada.open(f"/connect/apps/{guid}/git")
        await ada.submit("/git/remove")
    assert (await world.ask("GET", f"/__api__/v1/content/{guid}/repository", "ada")).status_code == 404
