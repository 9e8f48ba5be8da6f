"""Who came, who went and who was not let in is in the audit log, with from where."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from support.controlling import World

from rostra.auth.errors import AccountLocked, WrongLogin
from rostra.auth.tables import User
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
PASSWORD, ADDRESS = "a good password", "192.0.2.7"


async def grace(world: World) -> str:
    body = {"username": "grace", "password": PASSWORD, "user_role": "viewer"}
    return str((await world.api("POST", "users", body, name="root"))["guid"])


async def newest(world: World) -> Any:
    (entry,) = (await world.api("GET", "audit_logs?limit=1", name="root"))["results"]
    return await world.api("GET", f"audit_logs/{entry['id']}", name="root")


async def test_coming_and_going_is_written(world: World) -> None:
    guid, desk = await grace(world), world.control.desk
    signed = await desk.sign_in("grace", PASSWORD, ADDRESS)
    came = await newest(world)
    assert (came["action"], came["user_guid"], came["subject"]) == ("sign_in", guid, guid)
    assert came["notes"] == {"way": "password", "address": ADDRESS}
    await desk.sign_out(signed.token, ADDRESS)
    went = await newest(world)
    assert (went["action"], went["user_guid"], went["notes"]) == ("sign_out", guid, {"address": ADDRESS})
    await desk.sign_out(signed.token, ADDRESS)
    assert (await newest(world))["id"] == went["id"], "what is over does not end again"
    assert PASSWORD not in str([came, went])
    assert signed.token not in str([came, went])


@pytest.mark.parametrize("locked", [False, True])
async def test_a_try_that_failed_is_written(world: World, locked: bool) -> None:
    guid = await grace(world)
    if locked:
        await world.api("POST", f"users/{guid}/lock", {"locked": True}, name="root")
    with pytest.raises(AccountLocked if locked else WrongLogin):
        await world.control.desk.sign_in("grace", PASSWORD if locked else "wrong", ADDRESS)
    entry = await newest(world)
    assert (entry["action"], entry["user_guid"], entry["subject"]) == ("refuse_sign_in", None, guid)
    assert (entry["notes"]["account"], entry["notes"]["address"]) == ("grace", ADDRESS)
    assert entry["notes"]["why"] == ("account-locked" if locked else "wrong-login")


async def test_what_was_typed_for_a_name_is_not_kept(world: World) -> None:
    with pytest.raises(WrongLogin):
        await world.control.desk.sign_in("my secret in the wrong field", "x", ADDRESS)
    entry = await newest(world)
    assert (entry["action"], entry["subject"]) == ("refuse_sign_in", None)
    assert "secret" not in str(entry)


async def test_locking_says_what_was_and_is(world: World) -> None:
    guid = await grace(world)
    await world.api("POST", f"users/{guid}/lock", {"locked": True}, name="root")
    (row,) = (await newest(world))["rows"]
    assert (row["before"], row["after"]) == ({"locked": False}, {"locked": True})
    async with transaction(world.control.tools.reading) as session:
        assert (await session.execute(sa.select(User.locked).where(User.guid == guid))).scalar_one()
