"""Changing one's own password."""

from __future__ import annotations

import pytest
from support.api import Client, World

from rostra.auth import users
from rostra.auth.errors import WrongLogin
from rostra.auth.tables import User
from rostra.auth.throttle import FREE_TRIES
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio

PATH = "v1/user/password"
OLD, NEW = "the old password", "the new password"


@pytest.fixture
async def ada(world: World) -> Client:
    """Ada in her browser; everybody's password is the same."""
    await world.change(User, password_hash=await world.live.passwords.hash(OLD))
    return await world.browser("ada")


async def signs_in(world: World, password: str, name: str = "ada") -> bool:
    async with transaction(world.live.reading) as session:
        try:
            await users.sign_in(session, world.live.passwords, name, password)
        except WrongLogin:
            return False
    return True


async def test_the_new_password_counts_and_other_browsers_are_signed_out(world: World, ada: Client) -> None:
    other, bob = await world.browser("ada"), await world.browser("bob")
    answer = await ada.ask("PUT", PATH, {"present_password": OLD, "password": NEW})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await signs_in(world, NEW), await signs_in(world, OLD)) == (True, False)
    assert (await signs_in(world, NEW, "bob"), await signs_in(world, OLD, "bob")) == (False, True)
    assert (await ada.get("v1/user")).status_code == 200
    assert (await other.get("v1/user")).status_code == 401
    assert (await bob.get("v1/user")).status_code == 200
    assert (await world.client("ada").get("v1/user")).status_code == 200, "keys stay"


async def test_it_is_in_the_audit_log_without_either_password(world: World, ada: Client) -> None:
    await ada.ask("PUT", PATH, {"present_password": OLD, "password": NEW})
    (entry, *_) = (await world.client("root").read("v1/audit_logs?limit=1"))["results"]
    assert entry["action"] == "change_password"
    told = str(await world.client("root").read(f"v1/audit_logs/{entry['id']}"))
    assert "password_hash" in told
    assert "argon2" not in told
    assert NEW not in told


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"present_password": "wrong", "password": NEW}, 403),
        ({"password": NEW}, 403),
        ({"present_password": OLD, "password": "short"}, 400),
        ({"present_password": OLD, "password": "x" * 1001}, 400),
        ({"present_password": OLD}, 400),
    ],
)
async def test_what_does_not_change_it(world: World, ada: Client, body: dict[str, str], status: int) -> None:
    assert (await ada.ask("PUT", PATH, body)).status_code == status
    assert await signs_in(world, OLD)


async def test_a_key_cannot_change_it(world: World, ada: Client) -> None:
    answer = await world.client("ada").ask("PUT", PATH, {"present_password": OLD, "password": NEW})
    assert answer.status_code == 403
    assert "Sign in on the dashboard" in answer.json()["error"]
    assert await signs_in(world, OLD)


async def test_an_account_without_one_is_given_its_first(world: World, ada: Client) -> None:
    await world.change(User, password_hash=None)
    assert (await ada.ask("PUT", PATH, {"password": NEW})).status_code == 204
    assert await signs_in(world, NEW)


async def test_guessing_is_slowed_down(world: World, ada: Client) -> None:
    for _ in range(FREE_TRIES):
        assert (await ada.ask("PUT", PATH, {"present_password": "guess", "password": NEW})).status_code == 403
    refused = await ada.ask("PUT", PATH, {"present_password": OLD, "password": NEW})
    assert refused.status_code == 503
    assert "Wait" in refused.json()["error"]
