import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import NOW, add_item, add_user, principal

from rostra.auth.principals import Role
from rostra.content import items, permissions, variables
from rostra.content.access import AppRole, app_role
from rostra.content.errors import (
    CategoryChanged,
    ContentLocked,
    InvalidOwner,
    ItemNotFound,
    KindChanged,
    NameTaken,
)
from rostra.content.limits import Ceilings
from rostra.content.places import Places
from rostra.content.tables import Bundle, Item, Permission, Rendering, Variable
from rostra.db.engine import Sessions, transaction
from rostra.errors import Problem

pytestmark = pytest.mark.anyio

LATER = NOW + dt.timedelta(hours=1)


async def change(session: AsyncSession, item: Item, **given: object) -> None:
    await items.change(session, item, given, now=LATER, ceilings=Ceilings())


async def bundle_of(session: AsyncSession, item: Item, kind: str = "python-api", **manifest: object) -> Bundle:
    bundle = Bundle(item_id=item.id, created_at=NOW, size=1, md5="", sha1="", sha256="", kind=kind, manifest=manifest)
    session.add(bundle)
    await session.flush()
    return bundle


@pytest.mark.parametrize("given", [{}, {"name": ""}, {"name": None}])
async def test_without_a_name_one_is_made_each_time(session: AsyncSession, given: dict[str, object]) -> None:
    owner = await add_user(session, "owner")
    first, second = await add_item(session, owner, **given), await add_item(session, owner, **given)
    assert first.name != second.name
    assert (first.kind, first.title, first.access_type, first.description) == ("unknown", None, "acl", "")


async def test_everything_a_client_may_set_is_kept(session: AsyncSession) -> None:
    item = await add_item(
        session, await add_user(session, "owner"), name="sales", title="Sales", description="d", access_type="all",
        min_processes=0, max_processes=4, load_factor=1, idle_timeout=0, memory_limit=10**10, nvidia_gpu_limit=2,
        default_image_name="an/image", run_as_current_user=False, manage_python=None, locked_message="**moved**",
    )  # fmt: skip
    await session.refresh(item)
    assert (item.name, item.title, item.access_type, item.max_processes) == ("sales", "Sales", "all", 4)
    assert (item.load_factor, item.idle_timeout, item.memory_limit, item.manage_python) == (1.0, 0, 10**10, None)
    assert item.settings["nvidia_gpu_limit"] == 2
    assert item.settings["default_image_name"] == "an/image"


async def test_a_name_belongs_to_one_item_of_an_owner(session: AsyncSession) -> None:
    owner, other = await add_user(session, "owner"), await add_user(session, "other")
    first = await add_item(session, owner, name="sales")
    await add_item(session, other, name="sales")
    with pytest.raises(NameTaken) as told:
        await add_item(session, owner, name="sales")
    assert (told.value.number, bool(told.value.hint)) == (26, True)
    second = await add_item(session, owner, name="sales1")
    with pytest.raises(NameTaken):
        await change(session, second, name="sales")
    await change(session, first, name="sales")  # its own name is free
    await items.delete(session, first, NOW)
    await change(session, second, name="sales")
    assert second.name == "sales"


async def test_an_empty_change_and_an_empty_name_change_nothing(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"), name="sales", title="Sales")
    await change(session, item)
    assert item.updated_at == NOW
    await change(session, item, name="", description="new")
    assert (item.name, item.title, item.description, item.updated_at) == ("sales", "Sales", "new", LATER)


async def test_null_gives_the_default_back(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"), max_processes=4, title="Sales")
    await change(session, item, max_processes=None, title=None)
    assert (item.max_processes, item.title) == (None, None)


async def test_locking_is_not_an_edit(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"))
    items.check_unlocked(item)
    await change(session, item, locked=True, locked_message="closed")
    assert item.updated_at == NOW
    with pytest.raises(ContentLocked) as told:
        items.check_unlocked(item)
    assert told.value.number == 222


@pytest.mark.parametrize(
    ("field", "value", "number", "why"),
    [
        ("name", "ab", 5, "too short"),
        ("name", "x" * 81, 5, "too long"),
        ("name", "a b c", 5, "a space"),
        ("name", "näme", 5, "an accent"),
        ("name", "../etc", 5, "a path"),
        ("name", "abc\n", 5, "a line end"),
        ("name", 7, 5, "a number"),
        ("title", "ab", 122, "too short"),
        ("title", "x" * 1025, 122, "too long"),
        ("title", "a\0bc", 122, "NUL"),
        ("title", "abc\ud800", 122, "half a surrogate pair"),
        ("title", ["abc"], 122, "a list"),
        ("description", "x" * 4097, 123, "too long"),
        ("description", 1, 123, "a number"),
        ("access_type", "public", 117, "unknown"),
        ("access_type", None, 117, "null"),
        ("access_type", ["all"], 117, "a list"),
        ("locked", "true", 25, "a text"),
        ("locked", None, 25, "null"),
        ("locked_message", "x" * 1025, 224, "too long"),
        ("content_category", "x" * 65, 25, "too long"),
        ("run_as", 1, 25, "a number"),
        ("default_image_name", "x" * 256, 25, "too long"),
        ("run_as_current_user", 1, 25, "a number"),
        ("manage_python", "no", 25, "a text"),
        ("guid", "x", 121, "not for clients to change"),
        ("owner_id", 1, 121, "ownership is given by transfer"),
        ("live_bundle_id", 1, 121, "only a deploy changes it"),
        ("kind", "static", 121, "only a deploy changes it"),
        ("deleted_at", None, 121, "only deleting does"),
        ("settings", {}, 121, "no way round the checks"),
        ("__class__", "x", 121, "no attribute at all"),
    ],
)
async def test_bad_fields(session: AsyncSession, field: str, value: object, number: int, why: str) -> None:
    owner = await add_user(session, "owner")
    item = await add_item(session, owner, name="sales")
    before = {c.key: getattr(item, c.key) for c in sa.inspect(Item).columns}
    for call in (change(session, item, **{field: value}), add_item(session, owner, **{field: value})):
        with pytest.raises(Problem) as told:
            await call
        assert told.value.number == number, why
        assert told.value.hint
    assert {c.key: getattr(item, c.key) for c in sa.inspect(Item).columns} == before


async def test_limits_are_judged_together_with_what_is_there(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"), max_processes=2)
    with pytest.raises(Problem) as told:
        await items.change(session, item, {"min_processes": 3}, now=LATER, ceilings=Ceilings(min_processes_limit=9))
    assert told.value.number == 114
    assert item.min_processes is None


async def test_finding(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"))
    assert await items.get(session, item.guid.upper()) is item
    assert await items.by_number(session, item.id) is item
    await items.delete(session, item, NOW)
    for call in (items.get(session, item.guid), items.get(session, "'; --"), items.by_number(session, item.id)):
        with pytest.raises(ItemNotFound) as told:
            await call
        assert told.value.number == 4
    with pytest.raises(ItemNotFound):
        await items.by_number(session, 2**70)
    assert await items.find(session, item.guid) is None


async def test_lists_begin_with_what_was_deployed_last(session: AsyncSession) -> None:
    owner = await add_user(session, "owner")
    first, second, third = [await add_item(session, owner, name=f"item{n}") for n in range(3)]
    await items.make_live(session, first.id, await bundle_of(session, first), LATER)
    listed = await items.listing(session, principal(owner))
    assert [item.id for item in listed] == [first.id, third.id, second.id]
    assert [item.id for item in await items.listing(session, principal(owner), name="item1")] == [second.id]
    assert await items.listing(session, principal(owner), name="item") == []
    other = await add_user(session, "other", Role.administrator)
    assert len(await items.listing(session, principal(other), owner_guid=owner.guid)) == 3
    assert await items.listing(session, principal(other), owner_guid=other.guid) == []


async def test_ownership_moves_whole(session: AsyncSession) -> None:
    owner, heir = await add_user(session, "owner"), await add_user(session, "heir")
    item = await add_item(session, owner)
    await permissions.give(session, item, heir.guid, "viewer")
    await items.transfer(session, item, heir, LATER)
    assert await permissions.listing(session, item) == [], "an owner needs no permission"
    roles = [app_role(p, await permissions.facts(session, item, p)) for p in (principal(owner), principal(heir))]
    assert roles == [AppRole.none, AppRole.owner]


async def test_who_cannot_own(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"), name="sales")
    for heir in (await add_user(session, "viewer", Role.viewer), await add_user(session, "locked", locked=True)):
        with pytest.raises(InvalidOwner) as told:
            await items.transfer(session, item, heir, LATER)
        assert (told.value.number, bool(told.value.hint)) == (22, True)
    namesake = await add_user(session, "namesake")
    await add_item(session, namesake, name="sales")
    with pytest.raises(NameTaken):
        await items.transfer(session, item, namesake, LATER)


async def test_the_first_deploy_fixes_kind_and_category(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"))
    items.check_kind(item, "anything")
    await change(session, item, content_category="plot")
    bundle = await bundle_of(session, item, "quarto-static", metadata={"content_category": "site"})
    await items.make_live(session, item.id, bundle, LATER)
    assert (item.kind, item.content_category, item.deployed_at) == ("quarto-static", "site", LATER)
    assert item.live_bundle_id == bundle.id
    with pytest.raises(KindChanged) as told:
        await items.make_live(session, item.id, await bundle_of(session, item, "static"), LATER)
    assert told.value.number == 48
    with pytest.raises(CategoryChanged) as refused:
        await change(session, item, content_category="plot")
    assert refused.value.number == 110
    await change(session, item, content_category="mcp")


async def test_deploying_again_keeps_the_settings(session: AsyncSession) -> None:
    owner = await add_user(session, "owner")
    item = await add_item(session, owner, title="Sales", access_type="all", max_processes=4)
    item.vanity_path = "/sales/"
    for _ in range(2):
        await items.make_live(session, item.id, await bundle_of(session, item), LATER)
    assert (item.title, item.access_type, item.max_processes, item.vanity_path) == ("Sales", "all", 4, "/sales/")


async def test_a_deleted_item_does_not_come_back_by_a_deploy(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"))
    bundle = await bundle_of(session, item)
    await items.delete(session, item, NOW)
    with pytest.raises(ItemNotFound):
        await items.make_live(session, item.id, bundle, LATER)


async def test_one_rendering_is_active(session: AsyncSession) -> None:
    item = await add_item(session, await add_user(session, "owner"))

    def rendering(path: str) -> Rendering:
        return Rendering(
            item_id=item.id, bundle_id=1, path=path, primary="x.html", rendered_at=NOW, duration_ms=1, active=False
        )

    for path, active in (("a", True), ("b", True), ("c", False)):
        await items.add_rendering(session, rendering(path), active=active)
    session.expire_all()
    rows = await session.execute(sa.select(Rendering.path, Rendering.active).order_by(Rendering.id))
    assert rows.all() == [("a", False), ("b", True), ("c", False)]


async def test_purging_leaves_nothing_of_a_deleted_item(sessions: Sessions, tmp_path: Path) -> None:
    places = Places(tmp_path)
    async with transaction(sessions) as session:
        owner = await add_user(session, "owner")
        gone, kept = await add_item(session, owner), await add_item(session, owner)
        for item in (gone, kept):
            bundle = await bundle_of(session, item)
            await permissions.give(session, item, (await add_user(session, f"friend{item.id}")).guid, "viewer")
            await variables.merge(session, variables.open_box(tmp_path / "key"), item, [("A", "1")])
            for path in (
                places.archive(item.guid, bundle.id), places.app(item.guid, bundle.id) / "app.py",
                places.renderings(item.guid) / "1" / "x.html", places.log(item.guid, "abc"),
            ):  # fmt: skip
                path.parent.mkdir(parents=True)
                path.write_text("x")
            places.app(item.guid, bundle.id).chmod(0o555)
        gone.vanity_path = "/sales/"
        await items.delete(session, gone, NOW)
        kept.vanity_path = "/sales/"
    said = await items.purge(sessions, places)
    assert len(said) == 1
    assert gone.guid in said[0]
    assert await items.purge(sessions, places) == []
    assert not list(tmp_path.rglob(f"*{gone.guid}*"))
    assert len(list(tmp_path.rglob(f"*{kept.guid}*"))) == 4
    async with transaction(sessions) as session:
        for table in (Item, Bundle, Permission, Variable):
            assert len((await session.execute(sa.select(table))).all()) == 1


async def test_one_deleted_item_can_be_purged_alone(sessions: Sessions, tmp_path: Path) -> None:
    async with transaction(sessions) as session:
        owner = await add_user(session, "owner")
        busy, gone = await add_item(session, owner), await add_item(session, owner)
        for item in (busy, gone):
            await items.delete(session, item, NOW)
    assert len(await items.purge(sessions, Places(tmp_path), only=gone.guid)) == 1
    async with transaction(sessions) as session:
        assert (await session.execute(sa.select(Item.guid))).scalars().all() == [busy.guid]
