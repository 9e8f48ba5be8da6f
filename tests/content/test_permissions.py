import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import add_item, add_user

from rostra.auth.principals import Role
from rostra.content import permissions
from rostra.content.access import Grant
from rostra.content.errors import (
    InvalidCollaborator,
    InvalidPermissionRole,
    InvalidPrincipalType,
    OwnerNeedsNoPermission,
    PermissionNotFound,
    PrincipalNotFound,
)
from rostra.errors import Problem

pytestmark = pytest.mark.anyio


async def test_giving_twice_changes_the_one_there_is(session: AsyncSession) -> None:
    item, friend = await add_item(session, await add_user(session, "owner")), await add_user(session, "friend")
    first, new = await permissions.give(session, item, friend.guid, "viewer")
    second, again = await permissions.give(session, item, friend.guid, "owner")
    assert (new, again) == (True, False)
    assert (first.id, second.role) == (second.id, Grant.owner)
    assert await permissions.listing(session, item) == [second]


async def test_the_owner_is_not_listed(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"))
    assert await permissions.listing(session, item) == []


async def test_changing_and_taking_away(session: AsyncSession) -> None:
    item, friend = await add_item(session, await add_user(session, "owner")), await add_user(session, "friend")
    given, _ = await permissions.give(session, item, friend.guid, "viewer")
    changed = await permissions.change(session, item, given.id, user_guid=friend.guid, role="owner")
    assert await permissions.get(session, item, given.id) == changed
    await permissions.take(session, item, given.id)
    assert await permissions.listing(session, item) == []


@pytest.mark.parametrize(
    ("who", "role", "sort", "refusal", "number", "why"),
    [
        ("viewer", "owner", "user", InvalidCollaborator, 33, "a viewer on this server never collaborates"),
        ("owner", "viewer", "user", OwnerNeedsNoPermission, 34, "the owner has every right"),
        ("friend", "editor", "user", InvalidPermissionRole, 25, "the wire says owner"),
        ("friend", None, "user", InvalidPermissionRole, 25, "no role"),
        ("friend", "viewer", "robot", InvalidPrincipalType, 152, "only people and groups"),
        ("friend", "viewer", {}, InvalidPrincipalType, 152, "not even a text"),
        ("nobody", "viewer", "user", PrincipalNotFound, 9, "an unknown guid"),
        (7, "viewer", "user", PrincipalNotFound, 9, "not even a text"),
    ],
)
async def test_refused(
    session: AsyncSession, who: object, role: object, sort: object, refusal: type[Problem], number: int, why: str
) -> None:
    people = {name: await add_user(session, name) for name in ("owner", "friend")}
    people["viewer"] = await add_user(session, "viewer", Role.viewer)
    item = await add_item(session, people["owner"])
    guid = people[who].guid if who in people else who  # type: ignore[index]
    with pytest.raises(refusal) as told:
        await permissions.give(session, item, guid, role, principal_type=sort)
    assert told.value.number == number, why
    assert told.value.hint
    assert await permissions.listing(session, item) == []


async def test_another_items_permission_is_not_found(session: AsyncSession) -> None:
    owner, friend = await add_user(session, "owner"), await add_user(session, "friend")
    item, other = await add_item(session, owner), await add_item(session, owner)
    given, _ = await permissions.give(session, other, friend.guid, "viewer")
    for call in (
        permissions.get(session, item, given.id),
        permissions.take(session, item, given.id),
        permissions.change(session, item, given.id, user_guid=friend.guid, role="viewer"),
        permissions.change(session, other, given.id, user_guid=owner.guid, role="viewer"),
    ):
        with pytest.raises(PermissionNotFound) as told:
            await call
        assert told.value.number == 4
    assert len(await permissions.listing(session, other)) == 1
