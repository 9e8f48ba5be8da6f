"""Remembering that somebody was here, without holding anybody up."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from support.moments import NOON, MovedClock
from support.people import person

from rostra.app.uses import Uses
from rostra.auth import keys
from rostra.auth.credentials import Credential, Scheme, who
from rostra.auth.principals import Principal
from rostra.auth.tables import ApiKey, User
from rostra.config.sections import Authentication
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio


async def known(sessions: Sessions, secret: str, clock: MovedClock) -> Principal:
    async with transaction(sessions) as session:
        found = await who(session, Credential(Scheme.key, secret), Authentication(), clock.now())
    assert found is not None
    return found


async def test_a_use_is_written_at_most_once_a_minute(sessions: Sessions) -> None:
    clock = MovedClock(NOON)
    uses = Uses(sessions, clock)
    async with transaction(sessions) as session:
        secret = (await keys.create(session, (await person(session, "ada", NOON)).id, "test", NOON))[1]
    for seconds, expected, why in [(0, 0, "never used before"), (30, 0, "a moment ago"), (31, 61, "a minute ago")]:
        clock.move(seconds=seconds)
        uses.note(await known(sessions, secret, clock))
        uses.note(None)
        await uses.flush()
        async with transaction(sessions) as session:
            for table in (User, ApiKey):
                seen = (await session.execute(sa.select(table.active_at))).scalar_one()
                assert seen is not None
                assert (seen - NOON).total_seconds() == expected, why


async def test_leaving_writes_what_waits(sessions: Sessions) -> None:
    clock = MovedClock(NOON)
    uses = Uses(sessions, clock)
    async with transaction(sessions) as session:
        secret = (await keys.create(session, (await person(session, "ada", NOON)).id, "test", NOON))[1]
    async with uses.kept():
        uses.note(await known(sessions, secret, clock))
    async with transaction(sessions) as session:
        assert (await session.execute(sa.select(ApiKey.active_at))).scalar_one() == NOON
