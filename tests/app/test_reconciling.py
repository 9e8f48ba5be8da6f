import dataclasses
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs
from support.controlling import House, World

from rostra.app import reconciling
from rostra.content import items
from rostra.content.places import Places
from rostra.content.tables import Bundle
from rostra.db.engine import transaction
from rostra.ids import PoolKey, ProcessKey

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("sandboxed", "passable"), [(True, 0o700), (False, 0o711)])
def test_other_accounts_cannot_list_or_read_what_was_published(tmp_path: Path, sandboxed: bool, passable: int) -> None:
    (tmp_path / "bundles").mkdir(mode=0o755)  # as earlier releases made it
    reconciling.close_folders(Places(tmp_path), sandboxed=sandboxed)
    modes = {folder.name: folder.stat().st_mode & 0o777 for folder in tmp_path.iterdir()}
    assert modes == {"bundles": 0o700, "jobs": 0o700, "apps": passable, "renderings": passable}


async def test_what_a_killed_server_left_is_removed_and_said(house: House) -> None:
    async with house.open() as world:
        await world.people()
        guid = await world.static({"index.html": "x"})
        told = {"appmode": "static", "primary_html": "index.html"}
        kept = await world.upload(guid, {"index.html": "y"}, metadata=told)
    for left in (
        f"bundles/{guid}/.scratch-1",
        f"bundles/{guid}/99.tar.gz",
        f"apps/{guid}/98",
        f"renderings/{guid}/never-a-row",
        f"renderings/{guid}/.scratch-2",
        "run/builds/rostra-x",
    ):
        (house.folder / left).mkdir(parents=True)
    with capture_logs() as lines:
        async with house.open():
            pass
    said = "\n".join(line["event"] for line in lines)
    left = {str(path.relative_to(house.folder)) for path in house.folder.rglob("*")}
    for gone in (f"bundles/{guid}/.scratch-1", f"bundles/{guid}/99.tar.gz", f"apps/{guid}/98"):
        assert gone not in left
        assert gone in said
    for gone in (f"renderings/{guid}/never-a-row", f"renderings/{guid}/.scratch-2"):
        assert gone not in left
        assert gone in said
    assert "run/builds/rostra-x" not in left
    assert f"bundles/{guid}/{kept}.tar.gz" in left


async def test_a_deleted_item_that_was_not_purged_is_at_the_next_start(house: House) -> None:
    async with house.open() as world:
        await world.people()
        guid = await world.static({"index.html": "x"})
        async with transaction(world.control.tools.sessions) as session:
            await items.delete(session, await items.get(session, guid), house.clock.now())
    async with house.open() as world:
        assert not list(house.folder.rglob(f"*{guid}*"))


async def test_what_runs_for_nothing_is_ended(house: House) -> None:
    async with house.open() as world:
        await world.people()
        guid = await world.published()
        for key, labels in (("old", {"pool": guid, "bundle": "77"}), ("nobodys", {})):
            like = house.launcher.launches[0]
            stray = dataclasses.replace(like, key=ProcessKey(key), run_dir=house.folder / key, labels=labels)
            await house.launcher.start(stray)
        wanted = world.running(guid)
    async with house.open():
        assert [running.key for running in await house.launcher.running()] == wanted


async def change(world: World, **facts: str) -> None:
    """Let the records say something else of every bundle."""
    async with transaction(world.control.tools.sessions) as session:
        await session.execute(sa.update(Bundle).values(facts))


async def test_what_runs_on_an_earlier_python_is_not_taken_over(house: House) -> None:
    """Control was killed between making the new environment and letting the old process drain."""
    async with house.open() as world:
        await world.people()
        guid = await world.published()
        assert world.running(guid)
        await change(world, runtime_version="3.11.8", environment_key="of-3.11.8")
    async with house.open():
        assert not await house.launcher.running()


async def test_what_was_started_when_its_environment_was_made_anew_stays(house: House) -> None:
    async with house.open() as world:
        await world.people()
        guid = await world.published()
        pools = world.control.tools.pools
        await pools.end(ProcessKey(*world.running(guid)))
        await pools.retire(PoolKey(guid))
        await change(world, runtime_path="/opt/python/where/it/was", environment_key="of-then")
        assert await world.control.shop.processes.define(PoolKey(guid))
        started = await pools.ensure(PoolKey(guid))
        await world.control.shop.processes.refresh(guid)
        assert [member.key for member in pools.members(PoolKey(guid))] == [started.key], "nothing changed since"
    async with house.open() as world:
        assert world.running(guid) == [started.key]
