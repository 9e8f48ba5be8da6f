import itertools

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import NOW, add_item, add_user, principal

from rostra.auth.principals import Principal, Role, Via
from rostra.content import access, items, permissions
from rostra.content.access import Access, AppRole, Facts, Grant
from rostra.errors import Forbidden, NotSignedIn

pytestmark = pytest.mark.anyio

OWNER_ID, OTHER_ID = 1, 2


def person(user_id: int, role: Role) -> Principal:
    return Principal(user_id=user_id, guid=f"g{user_id}", username=f"u{user_id}", role=role, via=Via.key)


NOBODY = None
OWNER = person(OWNER_ID, Role.publisher)
OWNER_WITH_VIEWER_KEY = person(OWNER_ID, Role.viewer)
PUBLISHER = person(OTHER_ID, Role.publisher)
VIEWER = person(OTHER_ID, Role.viewer)
ADMIN = person(OTHER_ID, Role.administrator)

o, e, v, n = AppRole.owner, AppRole.editor, AppRole.viewer, AppRole.none
TABLE = [
    # who, grant, what they are for (all, logged_in, acl), may edit, may transfer, why
    (NOBODY, None, (v, n, n), False, False, "a visitor without an account"),
    (VIEWER, None, (v, v, n), False, False, "an account sees what is shown to accounts"),
    (VIEWER, Grant.viewer, (v, v, v), False, False, "was given viewing"),
    (VIEWER, Grant.owner, (v, v, v), False, False, "was a collaborator, is a viewer on this server by now"),
    (PUBLISHER, None, (v, v, n), False, False, "publishing oneself gives nothing on others' content"),
    (PUBLISHER, Grant.viewer, (v, v, v), False, False, "was given viewing"),
    (PUBLISHER, Grant.owner, (e, e, e), True, False, "a collaborator does everything but give it away"),
    (OWNER, None, (o, o, o), True, True, "the owner"),
    (OWNER_WITH_VIEWER_KEY, None, (v, v, v), False, False, "the owner's key that may only view"),
    (ADMIN, None, (v, v, n), True, True, "looks after it without seeing what it shows"),
    (ADMIN, Grant.viewer, (v, v, v), True, True, "gave themselves viewing"),
    (ADMIN, Grant.owner, (e, e, e), True, True, "was made a collaborator"),
]


@pytest.mark.parametrize(("who", "grant", "roles", "edit", "transfer", "why"), TABLE)
def test_the_table(
    who: Principal | None, grant: Grant | None, roles: tuple[AppRole, ...], edit: bool, transfer: bool, why: str
) -> None:
    for shown_to, role in zip(Access, roles, strict=True):
        facts = Facts(shown_to, OWNER_ID, grant)
        assert access.app_role(who, facts) is role, why
        assert access.may_view(who, facts) is (role is not AppRole.none), why
        assert access.may_edit(who, facts) is edit, why
        assert access.may_transfer(who, facts) is transfer, why
        assert access.may_know(who, facts) is (edit or role is not AppRole.none), why


def test_refusals_say_whether_signing_in_helps() -> None:
    access.require(True, NOBODY)
    with pytest.raises(NotSignedIn) as told:
        access.require(False, NOBODY)
    assert (told.value.number, bool(told.value.hint)) == (24, True)
    with pytest.raises(Forbidden) as refused:
        access.require(False, VIEWER)
    assert (refused.value.number, bool(refused.value.hint)) == (22, True)


async def test_lists_agree_with_the_decisions(session: AsyncSession) -> None:
    owner = await add_user(session, "owner")
    asking = await add_user(session, "asking")
    made = []
    for shown_to, grant, mine in itertools.product(Access, (None, *Grant), (False, True)):
        item = await add_item(session, asking if mine else owner, access_type=shown_to.value)
        if grant and not mine:
            await permissions.give(session, item, asking.guid, grant.value)
        made.append(item)
    deleted = await add_item(session, asking, access_type="all")
    await items.delete(session, deleted, NOW)
    for who in (None, *(principal(asking, role) for role in Role)):
        listed = {item.id for item in await items.listing(session, who)}
        known = {i.id for i in made if access.may_know(who, await permissions.facts(session, i, who))}
        assert listed == known, who
