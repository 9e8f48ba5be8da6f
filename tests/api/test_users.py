import datetime as dt

import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy.ext.asyncio import AsyncEngine
from support import api
from support.api import SECRET, World
from support.moments import NOON

from rostra.auth import keys
from rostra.auth.principals import Role
from rostra.auth.tables import ApiKey, User
from rostra.config.sections import Settings
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio
COLUMNS = [
    *("email", "username", "first_name", "last_name", "user_role", "created_time", "updated_time", "active_time"),
    *("confirmed", "locked", "guid"),
]


@pytest.mark.parametrize("path", ["v1/user", "me"])
async def test_the_caller(world: World, path: str) -> None:
    told = await world.client("root").read(path)
    assert (told["username"], told["user_role"]) == ("root", "administrator")
    assert list(told) == COLUMNS


async def test_people_are_listed_in_pages(world: World) -> None:
    told = await world.client("vic").read("v1/users?page_number=2&page_size=3")
    assert list(told) == ["results", "current_page", "total"]
    assert ([row["username"] for row in told["results"]], told["current_page"], told["total"]) == (["vic"], 2, 4)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("prefix=A", ["ada"]),
        ("user_role=viewer|administrator", ["root", "vic"]),
        ("account_status=locked", ["bob"]),
        ("account_status=licensed", ["root", "ada", "vic"]),
        ("account_status=licensed|locked", ["root", "ada", "bob", "vic"]),
        ("page_size=1000000", ["root", "ada", "bob", "vic"]),
        ("page_number=-1&page_size=0", ["root"]),
    ],
)
async def test_people_are_filtered(world: World, query: str, expected: list[str]) -> None:
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.update(User).where(User.username == "bob").values(locked=True))
    told = await world.client("vic").read(f"v1/users?{query}")
    assert [row["username"] for row in told["results"]] == expected


async def test_a_made_account_is_what_is_read_later(world: World) -> None:
    root = world.client("root")
    made = await root.made(
        "v1/users",
        {"username": "eve", "email": "e@x", "first_name": "Eve", "user_role": "publisher", "password": "secret-1"},
    )
    read = await root.read(f"v1/users/{made['guid']}")
    assert made == read
    assert list(made) == list(read) == COLUMNS
    assert (made["active_time"], made["locked"], made["user_role"]) == (None, False, "publisher")


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"username": "ada"}, 8, 409),
        ({"username": "ADA"}, 8, 409),
        ({"username": "a b"}, 7, 400),
        ({"username": "eve", "password": "x"}, 6, 400),
        ({"username": "eve", "user_role": "king"}, 112, 400),
        ({}, 87, 400),
    ],
)
async def test_a_bad_account_is_refused(world: World, body: object, code: int, status: int) -> None:
    answer = await world.client("root").post("v1/users", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_only_administrators_make_accounts(world: World) -> None:
    answer = await world.client("ada").post("v1/users", {"username": "eve"})
    assert (answer.status_code, answer.json()["code"]) == (403, 22)


async def test_an_unknown_person(world: World) -> None:
    assert (await world.client("ada").get("v1/users/nobody")).json()["code"] == 4


def keys_of(world: World, name: str) -> str:
    return f"v1/users/{world.users[name].guid}/keys"


async def test_a_made_key_works_and_is_shown_once(world: World) -> None:
    client = world.client("ada")
    made = await client.made(keys_of(world, "ada"), {"name": "ci", "user_role": "viewer"})
    assert list(made) == ["id", "name", "key", "user_role", "created_time", "active_time", "expires_at"]
    listed = {key["name"]: key for key in await client.read(keys_of(world, "ada"))}
    assert "key" not in listed["ci"]
    assert listed["ci"]["user_role"] == "viewer"
    made_client = world.client(authorization=f"Key {made['key']}")
    assert (await made_client.post("v1/content", {})).status_code == 403, "its cap is a viewer's"


async def test_a_browser_makes_a_key_with_the_xsrf_token(world: World) -> None:
    client = await world.browser("ada")
    assert (await client.post(keys_of(world, "ada"), {"name": "ci"})).status_code == 201


async def test_an_expired_key_is_no_good(world: World) -> None:
    ends = (NOON + dt.timedelta(hours=1)).isoformat()
    made = await world.client("ada").made(keys_of(world, "ada"), {"name": "ci", "expires_at": ends})
    client = world.client(authorization=f"Key {made['key']}")
    assert (await client.get("v1/user")).status_code == 200
    world.clock.move(hours=1)
    assert (await client.get("v1/user")).status_code == 401


async def test_a_limited_key_cannot_make_an_unlimited_one(world: World) -> None:
    limited = await world.client("root").made(keys_of(world, "root"), {"name": "a", "user_role": "publisher"})
    client = world.client(authorization=f"Key {limited['key']}")
    for body in ({"name": "b"}, {"name": "c", "user_role": "administrator"}):
        assert (await client.made(keys_of(world, "root"), body))["user_role"] == "publisher"


async def test_a_process_s_key_cannot_make_keys(world: World) -> None:
    async with transaction(world.live.sessions) as session:
        secret = await keys.for_process(session, world.users["ada"].id, "abc", NOON)
    client = world.client(authorization=f"Key {secret}")
    assert (await client.get("v1/user")).status_code == 200
    assert (await client.post(keys_of(world, "ada"), {"name": "b"})).status_code == 403


@pytest.mark.parametrize("who", ["bob", "root"])
async def test_nobody_makes_keys_for_others(world: World, who: str) -> None:
    assert (await world.client(who).post(keys_of(world, "ada"), {"name": "x"})).status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x" * 256}, {"name": "x", "expires_at": "2026-01-01T00:00:00"}]
)
async def test_a_bad_key_is_refused(world: World, body: object) -> None:
    assert (await world.client("ada").post(keys_of(world, "ada"), body)).status_code == 400


async def test_a_name_is_used_once(world: World) -> None:
    answer = await world.client("ada").post(keys_of(world, "ada"), {"name": "test"})
    assert (answer.status_code, answer.json()["code"]) == (409, 76)


@pytest.mark.parametrize(("who", "status"), [("ada", 204), ("root", 204), ("bob", 403)])
async def test_revoking(world: World, who: str, status: int) -> None:
    (key,) = await world.client("ada").read(keys_of(world, "ada"))
    answer = await world.client(who).ask("DELETE", f"{keys_of(world, 'ada')}/{key['id']}")
    assert answer.status_code == status
    assert ("credentials" in world.changed) == (status == 204)
    assert (await world.client("ada").get("v1/user")).status_code == (401 if status == 204 else 200)


async def test_another_person_s_key_is_not_found_under_one_s_own(world: World) -> None:
    (key,) = await world.client("bob").read(keys_of(world, "bob"))
    answer = await world.client("ada").ask("DELETE", f"{keys_of(world, 'ada')}/{key['id']}")
    assert answer.status_code == 404


def bootstrap_token() -> str:
    claims = {
        "iss": "rsconnect-python",
        "aud": "rsconnect",
        "scope": "bootstrap",
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + 900,
    }
    return "Connect-Bootstrap " + jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))


@pytest.mark.parametrize("path", ["v1/experimental/bootstrap", "v1/bootstrap"])
async def test_bootstrap_makes_the_first_administrator(world: World, path: str) -> None:
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.delete(ApiKey))
        await session.execute(sa.update(User).values(role=Role.viewer))
    client = world.client(authorization=bootstrap_token())
    made = await client.made(path)
    told = await world.client(authorization=f"Key {made['api_key']}").read("me")
    assert (told["username"], told["user_role"]) == ("__bootstrap_admin__", "administrator")
    assert (await client.post(path)).status_code == 403
    assert (await client.get("me")).status_code == 401


@pytest.mark.parametrize("header", ["", "Connect-Bootstrap x", "Key x"])
async def test_a_bad_bootstrap_token_is_401(world: World, header: str) -> None:
    headers = {"authorization": header} if header else {}
    answer = await world.client(**headers).post("v1/experimental/bootstrap")
    assert answer.status_code == 401
    assert not answer.json().get("api_key")


async def test_bootstrap_that_is_off_is_404(engine: AsyncEngine, database_settings: Settings) -> None:
    async with api.world(engine, database_settings, bootstrap_secret=None) as made:
        answer = await made.client(authorization=bootstrap_token()).post("v1/experimental/bootstrap")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


async def test_only_what_is_sent_is_changed(world: World) -> None:
    root, guid = world.client("root"), world.users["vic"].guid
    before = await root.read(f"v1/users/{guid}")
    world.clock.move(seconds=60)
    changed = (await root.ask("PUT", f"v1/users/{guid}", {"email": "v@x", "user_role": "publisher", "x": 1})).json()
    expected = {**before, "email": "v@x", "user_role": "publisher", "updated_time": changed["updated_time"]}
    assert changed == expected == await root.read(f"v1/users/{guid}")
    assert changed["updated_time"] > before["updated_time"]


@pytest.mark.parametrize(
    ("who", "whom", "body", "status", "code"),
    [
        ("vic", "vic", {"first_name": "Vic"}, 200, None),
        ("vic", "vic", {"user_role": "administrator"}, 403, 22),
        ("vic", "vic", {"username": "victor"}, 403, 22),
        ("vic", "vic", {"user_role": "viewer", "email": "v@x"}, 200, None),
        ("vic", "ada", {"email": "v@x"}, 403, 22),
        ("root", "root", {"user_role": "viewer"}, 400, 61),
        ("root", "vic", {"username": "ADA"}, 409, 8),
        ("root", "vic", {"username": "VIC"}, 200, None),
        ("root", "vic", {"user_role": "king"}, 400, 112),
        ("root", "vic", {"email": 7}, 400, 25),
        ("root", "vic", [], 400, 87),
    ],
)
async def test_who_changes_whom(world: World, who: str, whom: str, body: object, status: int, code: int | None) -> None:
    answer = await world.client(who).ask("PUT", f"v1/users/{world.users[whom].guid}", body)
    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_locking_changes_only_that(world: World) -> None:
    root, guid = world.client("root"), world.users["vic"].guid
    before = await root.read(f"v1/users/{guid}")
    world.clock.move(seconds=60)
    for locked in (True, False):
        assert (await root.post(f"v1/users/{guid}/lock", {"locked": locked})).status_code == 200
        assert await root.read(f"v1/users/{guid}") == {**before, "locked": locked}
        assert (await world.client("vic").get("v1/user")).status_code == (401 if locked else 200)
        before |= {"active_time": (await root.read(f"v1/users/{guid}"))["active_time"]}
    assert world.changed.count("credentials") == 2


@pytest.mark.parametrize(("who", "whom", "status"), [("root", "root", 400), ("ada", "vic", 403)])
async def test_who_locks_whom(world: World, who: str, whom: str, status: int) -> None:
    answer = await world.client(who).post(f"v1/users/{world.users[whom].guid}/lock", {"locked": True})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("query", "status"), [("account_status=gone", 115), ("sort=password_hash", 11), ("user_role=king", 112)]
)
async def test_a_filter_nobody_knows_is_refused(world: World, query: str, status: int) -> None:
    assert (await world.client("vic").get(f"v1/users?{query}")).json()["code"] == status


async def test_people_are_sorted_and_counted(world: World) -> None:
    told = await world.client("vic").read("v1/users?sort=username&asc_order=false&page_size=1")
    assert ([row["username"] for row in told["results"]], told["total"]) == (["vic"], 4)


async def test_somebody_not_seen_for_a_year_is_inactive(world: World) -> None:
    world.clock.move(days=400)
    told = await world.client("root").read("v1/users?account_status=inactive")
    assert [row["username"] for row in told["results"]] == ["ada", "bob", "vic"]
