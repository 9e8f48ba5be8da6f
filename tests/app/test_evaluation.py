"""What a server without a configuration file says and makes."""

from __future__ import annotations

import dataclasses
import re

import pytest
from structlog.testing import capture_logs
from support.controlling import World

from rostra.app.evaluation import welcome

pytestmark = pytest.mark.anyio


async def said(world: World, *, file: bool, listen: str = "127.0.0.1:3939") -> str:
    present = world.control.present
    http = dataclasses.replace(present.settings.http, listen=listen)
    settings = dataclasses.replace(present.settings, http=http)
    present.loaded = dataclasses.replace(present.loaded, settings=settings, path=present.loaded.path if file else None)
    with capture_logs() as lines:
        await welcome(world.control)
    return "\n".join(line["event"] for line in lines)


async def test_with_a_file_it_says_nothing(world: World) -> None:
    assert await said(world, file=True) == ""


async def test_without_one_it_says_what_it_is_and_how_to_get_in(world: World) -> None:
    told = await said(world, file=False)
    assert "evaluation server" in told
    assert "on this machine only" in told
    assert str(world.house.folder) in told
    assert "rostra serve --config FILE" in told


async def test_it_does_not_claim_to_be_private_when_others_can_reach_it(world: World) -> None:
    told = await said(world, file=False, listen=":3939")
    assert "on this machine only" not in told
    assert "whoever can reach :3939" in told


async def test_an_administrator_is_made_only_when_there_is_none(world: World) -> None:
    assert "__signin__" not in await said(world, file=False), "people administer this server already"
    assert len(await world.api("GET", "users?prefix=admin", name="root"))


async def test_its_link_signs_in_once(world: World) -> None:
    root = (await world.api("GET", "user", name="root"))["guid"]
    await world.api("PUT", f"users/{root}", {"username": "admin"}, "root")
    link = re.search(r"__signin__/(\S+)", await said(world, file=False))
    assert link
    assert (await world.control.desk.redeem(link[1])).token
    with pytest.raises(Exception, match="not valid any more"):
        await world.control.desk.redeem(link[1])
