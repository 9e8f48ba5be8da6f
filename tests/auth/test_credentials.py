import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.moments import NOON
from support.people import person

from rostra.auth import keys
from rostra.auth import sessions as browser_sessions
from rostra.auth.credentials import Credential, Scheme, WrongXsrf, check_xsrf, is_due, read, seen, who
from rostra.auth.principals import BadCredential, Role, Via, lowered
from rostra.auth.tables import ApiKey, User
from rostra.config.sections import Authentication
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio
SETTINGS = Authentication()


@pytest.mark.parametrize(
    ("headers", "cookies", "expected", "why"),
    [
        ({}, {}, Credential(Scheme.none), "nothing is shown"),
        ({"authorization": "Key abc"}, {}, Credential(Scheme.key, "abc"), "the usual way"),
        (
            {"authorization": "key  abc "},
            {},
            Credential(Scheme.key, "abc"),
            "the scheme's case and spaces do not matter",
        ),
        ({"x-rsc-authorization": "Key abc"}, {}, Credential(Scheme.key, "abc"), "the other header"),
        ({"x-rsc-authorization": "abc"}, {}, Credential(Scheme.key, "abc"), "behind a proxy the word is left out"),
        (
            {"authorization": 'Snowflake Token="x"', "x-rsc-authorization": "abc"},
            {},
            Credential(Scheme.key, "abc"),
            "the proxy's own header is not for us",
        ),
        (
            {"authorization": "Key a", "x-rsc-authorization": "Key b"},
            {},
            Credential(Scheme.key, "a"),
            "Authorization comes first",
        ),
        ({}, {"rsconnect": "t"}, Credential(Scheme.cookie, "t"), "a browser"),
        ({"authorization": "Key a"}, {"rsconnect": "t"}, Credential(Scheme.key, "a"), "a header outranks cookies"),
        ({"authorization": "Bearer x"}, {"rsconnect": "t"}, Credential(Scheme.other, "Bearer x"), "even a bad one"),
        ({"authorization": "Connect-Bootstrap x"}, {}, Credential(Scheme.other, "Connect-Bootstrap x"), "only there"),
        ({"authorization": "Key"}, {}, Credential(Scheme.key, ""), "an empty key is a bad key, not nobody"),
        ({"authorization": "Key " + "x" * 5000}, {}, Credential(Scheme.other), "nobody makes us hash megabytes"),
    ],
)
def test_reading_table(headers: dict[str, str], cookies: dict[str, str], expected: Credential, why: str) -> None:
    assert read(headers, cookies) == expected, why


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("cap", [None, *Role])
def test_a_cap_only_ever_lowers(role: Role, cap: Role | None) -> None:
    assert lowered(role, cap).rank == min(role.rank, role.rank if cap is None else cap.rank)


async def key_of(session: AsyncSession, name: str = "ada", **more: object) -> str:
    user = await person(session, name, NOON, Role.administrator)
    return (await keys.create(session, user.id, "k", NOON, **more))[1]  # type: ignore[arg-type]


async def test_a_key_is_its_person(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        secret = await key_of(session)
        found = await who(session, Credential(Scheme.key, secret), SETTINGS, NOON)
    assert found is not None
    assert (found.username, found.role, found.via) == ("ada", Role.administrator, Via.key)


async def test_a_capped_key_is_a_lesser_person(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        secret = await key_of(session, cap=Role.viewer)
        found = await who(session, Credential(Scheme.key, secret), SETTINGS, NOON)
    assert found is not None
    assert found.role is Role.viewer
    assert not found.may_publish


async def test_the_secret_itself_is_not_stored(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        secret = await key_of(session)
        stored = (await session.execute(sa.select(ApiKey.key_hash))).scalar_one()
    assert secret not in stored


@pytest.mark.parametrize("change", ["unknown", "revoked", "expired", "locked", "other scheme"])
async def test_a_bad_key_is_refused(change: str, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        secret = await key_of(session, expires_at=NOON + dt.timedelta(hours=1))
        now, credential = NOON, Credential(Scheme.key, secret)
        match change:
            case "unknown":
                credential = Credential(Scheme.key, secret + "x")
            case "revoked":
                await session.execute(sa.delete(ApiKey))
            case "expired":
                now += dt.timedelta(hours=1)
            case "locked":
                await session.execute(sa.update(User).values(locked=True))
            case _:
                credential = Credential(Scheme.other, f"Bearer {secret}")
        with pytest.raises(BadCredential) as told:
            await who(session, credential, SETTINGS, now)
    assert told.value.number == 30


async def test_nothing_shown_is_nobody(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        assert await who(session, Credential(Scheme.none), SETTINGS, NOON) is None


async def test_a_cookie_is_its_person(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        token = await cookie_of(session)
        found = await who(session, Credential(Scheme.cookie, token), SETTINGS, NOON)
    assert found is not None
    assert found.via is Via.session


async def cookie_of(session: AsyncSession) -> str:
    user = await person(session, "ada", NOON)
    return (await browser_sessions.begin(session, user.id, SETTINGS, NOON)).token


@pytest.mark.parametrize(
    ("later", "why"),
    [
        (dt.timedelta(days=1), "unused for a day"),
        (dt.timedelta(days=31), "older than its lifetime"),
    ],
)
async def test_an_old_cookie_is_nobody(later: dt.timedelta, why: str, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        token = await cookie_of(session)
        assert await who(session, Credential(Scheme.cookie, token), SETTINGS, NOON + later) is None, why


async def test_a_locked_account_s_cookie_is_nobody(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        token = await cookie_of(session)
        await session.execute(sa.update(User).values(locked=True))
        assert await who(session, Credential(Scheme.cookie, token), SETTINGS, NOON) is None


async def test_a_start_ends_the_keys_of_renders_where_no_other_server_can_be_rendering(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        user = await person(session, "ada", NOON)
        secret = await keys.for_render(session, user.id, "abc", NOON, expires_at=NOON + dt.timedelta(hours=1))
        await keys.revoke_for_processes_other_than(session, ())
        kept = await keys.find(session, secret, NOON) is not None
        assert kept is (session.get_bind().dialect.name != "sqlite")


async def test_a_render_s_key_ends_with_the_render_and_by_time(sessions: Sessions) -> None:
    until = NOON + dt.timedelta(hours=1)
    async with transaction(sessions) as session:
        user = await person(session, "ada", NOON)
        secret = await keys.for_render(session, user.id, "abc", NOON, expires_at=until)
        found = await who(session, Credential(Scheme.key, secret), SETTINGS, NOON)
        assert found is not None
        assert found.via is Via.process_key
        with pytest.raises(BadCredential):
            await who(session, Credential(Scheme.key, secret), SETTINGS, until)
        await keys.revoke_for_render(session, "abc")
        with pytest.raises(BadCredential):
            await who(session, Credential(Scheme.key, secret), SETTINGS, NOON)


async def test_a_process_key_ends_with_its_process(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        user = await person(session, "ada", NOON)
        secret = await keys.for_process(session, user.id, "abc", NOON)
        found = await who(session, Credential(Scheme.key, secret), SETTINGS, NOON)
        assert found is not None
        assert found.via is Via.process_key
        await keys.revoke_for_process(session, "abc")
        with pytest.raises(BadCredential):
            await who(session, Credential(Scheme.key, secret), SETTINGS, NOON)


@pytest.mark.parametrize(("running", "left"), [((), 0), (("abc",), 1)])
async def test_at_start_keys_of_dead_processes_end(running: tuple[str, ...], left: int, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        user = await person(session, "ada", NOON)
        await keys.for_process(session, user.id, "abc", NOON)
        await keys.for_process(session, user.id, "gone", NOON)
        await keys.create(session, user.id, "mine", NOON)
        await keys.revoke_for_processes_other_than(session, running)
        counted = await session.execute(sa.select(sa.func.count()).select_from(ApiKey))
        assert counted.scalar_one() == left + 1


async def test_use_is_recorded_at_most_once_a_minute(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        shown = Credential(Scheme.key, await key_of(session))
        first = await who(session, shown, SETTINGS, NOON)
        assert first is not None
        assert is_due(first, NOON)
        await seen(session, first, NOON)
        again = await who(session, shown, SETTINGS, NOON + dt.timedelta(seconds=59))
        assert again is not None
        assert not is_due(again, NOON + dt.timedelta(seconds=59))
        assert is_due(again, NOON + dt.timedelta(seconds=60))


def test_xsrf_table() -> None:
    cookie, right = Credential(Scheme.cookie, "token"), browser_sessions.xsrf_of("token")
    table = [
        ("GET", cookie, None, None, True, "reading changes nothing"),
        ("POST", cookie, right, right, True, "a page of ours"),
        ("POST", cookie, None, right, False, "a form of another site cannot set headers"),
        ("POST", cookie, right, None, False, "both are needed"),
        ("DELETE", cookie, "planted", "planted", False, "equal is not enough: a neighbour can plant cookies"),
        (
            "POST",
            cookie,
            browser_sessions.xsrf_of("other"),
            browser_sessions.xsrf_of("other"),
            False,
            "another session's",
        ),
        ("POST", Credential(Scheme.key, "k"), None, None, True, "keys are never sent by accident"),
        ("POST", cookie, "é", "é", False, "not ASCII"),
    ]
    for method, credential, header, planted, passes, why in table:
        try:
            check_xsrf(method, credential, header, planted)
        except WrongXsrf:
            assert not passes, why
        else:
            assert passes, why
