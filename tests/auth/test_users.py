import asyncio

import pytest
from support.moments import NOON
from support.people import cheap_passwords, person

from rostra.auth import users
from rostra.auth.errors import AccountLocked, NoSuchUser, PasswordUnfit, UsernameInvalid, UsernameTaken, WrongLogin
from rostra.auth.principals import Role
from rostra.auth.users import NewUser
from rostra.db.engine import Sessions, transaction

pytestmark = pytest.mark.anyio
PASSWORDS = cheap_passwords


async def test_a_made_account_is_found(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        made = await person(session, "ada", NOON)
        assert await users.by_guid(session, made.guid) is made
        assert await users.by_username(session, "ADA") is made


async def test_an_unknown_guid_is_said(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        with pytest.raises(NoSuchUser):
            await users.by_guid(session, "nobody")


async def test_a_name_that_differs_only_in_case_is_taken(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await person(session, "ada", NOON)
        with pytest.raises(UsernameTaken):
            await person(session, "Ada", NOON)


async def test_of_many_at_once_one_gets_the_name(sessions: Sessions) -> None:
    async def make() -> bool:
        try:
            async with transaction(sessions) as session:
                await person(session, "ada", NOON)
        except UsernameTaken:
            return False
        return True

    assert sum(await asyncio.gather(*(make() for _ in range(5)))) == 1


@pytest.mark.parametrize("name", ["", "a", "-ada", "a b", "ada\n", "a" * 65, "ädä", "../etc"])
async def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(UsernameInvalid):
        users.check_username(name)


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
async def test_unfit_passwords_are_refused(password: str) -> None:
    with pytest.raises(PasswordUnfit):
        await users.hash_password(PASSWORDS(), password)


async def test_the_right_password_signs_in(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await person(session, "ada", NOON, password="lovelace")
        assert (await users.sign_in(session, PASSWORDS(), "Ada", "lovelace")).username == "ada"


@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("ada", "wrong-one", "wrong password"),
        ("bob", "lovelace", "unknown name"),
        ("keyonly", "", "an account without a password"),
        ("ada", "x" * 5000, "too long to hash"),
    ],
)
async def test_nobody_is_told_what_was_wrong(name: str, password: str, why: str, sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        await person(session, "ada", NOON, password="lovelace")
        await person(session, "keyonly", NOON)
        with pytest.raises(WrongLogin):
            await users.sign_in(session, PASSWORDS(), name, password)


async def test_a_locked_account_is_told_so_only_with_its_password(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        (await person(session, "ada", NOON, password="lovelace")).locked = True
        with pytest.raises(AccountLocked):
            await users.sign_in(session, PASSWORDS(), "ada", "lovelace")
        with pytest.raises(WrongLogin):
            await users.sign_in(session, PASSWORDS(), "ada", "guess-it")


async def test_listing_filters_pages_and_counts(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        for name in ("ada", "adele", "bob", "a%b"):
            await person(session, name.replace("%", "_"), NOON)
        await person(session, "root", NOON, Role.administrator)
        assert [user.username for user in (await users.find(session, prefix="AD")).users] == ["ada", "adele"]
        assert (await users.find(session, prefix="a_")).total == 1, "an underscore is not a wildcard"
        second = await users.find(session, page=2, size=2)
        assert ([user.username for user in second.users], second.total) == (["bob", "a_b"], 5)
        assert [user.username for user in (await users.find(session, roles=[Role.administrator])).users] == ["root"]


async def test_stored_hashes_are_argon2(sessions: Sessions) -> None:
    async with transaction(sessions) as session:
        made = await users.create(session, PASSWORDS(), NewUser(username="ada", password="lovelace"), NOON)
    assert (made.password_hash or "").startswith("$argon2id$")


async def test_a_weaker_hash_is_called_outdated() -> None:
    from rostra.auth.passwords import Passwords

    assert Passwords().outdated(await PASSWORDS().hash("lovelace"))
