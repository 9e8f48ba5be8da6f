import datetime as dt

import pytest
from support.moments import NOON
from support.people import person

from rostra.auth import links
from rostra.auth import sessions as browser_sessions
from rostra.auth.links import LinkUsedUp
from rostra.config.sections import Authentication
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio
SETTINGS = Authentication()
HOUR = dt.timedelta(hours=1)


async def test_a_session_can_be_listed_and_ended(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        ada = await person(session, "ada", NOON)
        given = await browser_sessions.begin(session, ada.id, SETTINGS, NOON)
        other = await browser_sessions.begin(session, ada.id, SETTINGS, NOON + HOUR)
        assert len(await browser_sessions.of_user(session, ada.id)) == 2
        await browser_sessions.end(session, given.token)
        assert await browser_sessions.find(session, given.token, SETTINGS, NOON) is None
        assert await browser_sessions.find(session, other.token, SETTINGS, NOON) is not None


async def test_signing_out_everywhere_ends_all(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        ada = await person(session, "ada", NOON)
        await browser_sessions.begin(session, ada.id, SETTINGS, NOON)
        await browser_sessions.end_all(session, ada.id)
        assert not await browser_sessions.of_user(session, ada.id)


async def test_only_dead_sessions_are_pruned(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        ada = await person(session, "ada", NOON)
        await browser_sessions.begin(session, ada.id, SETTINGS, NOON)
        fresh = await browser_sessions.begin(session, ada.id, SETTINGS, NOON + 23 * HOUR)
        await browser_sessions.prune(session, SETTINGS, NOON + 24 * HOUR)
        left = await browser_sessions.of_user(session, ada.id)
    assert [row.expires_at for row in left] == [fresh.expires_at]


async def test_a_link_works_once(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        ada = await person(session, "ada", NOON)
        token = await links.create(session, ada.id, NOON, HOUR)
        assert (await links.redeem(session, token, NOON)).username == "ada"
        with pytest.raises(LinkUsedUp):
            await links.redeem(session, token, NOON)


async def test_a_link_expires(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        ada = await person(session, "ada", NOON)
        token = await links.create(session, ada.id, NOON, HOUR)
        with pytest.raises(LinkUsedUp):
            await links.redeem(session, token, NOON + HOUR)


async def test_a_locked_account_s_link_does_not_work(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        ada = await person(session, "ada", NOON)
        token = await links.create(session, ada.id, NOON, HOUR)
        ada.locked = True
        with pytest.raises(LinkUsedUp):
            await links.redeem(session, token, NOON)
