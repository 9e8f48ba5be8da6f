"""Accounts and groups on the dashboard."""

from __future__ import annotations

import pytest
from support.browsing import browser
from support.controlling import ORIGIN, House, World

pytestmark = pytest.mark.anyio


async def test_an_administrator_makes_an_account_that_can_sign_in(world: World) -> None:
    async with browser(world, "root") as root:
        await root.open("/connect/people")
        await root.submit("/people/new", {"username": "grace", "role": "viewer", "password": "a good password"})
        assert (root.status, "Made." in root.page, "grace" in root.page) == (200, True, True)
    entry = (await world.api("GET", "audit_logs?limit=1", name="root"))["results"][0]
    assert entry["action"] == "create_user"
    assert "a good password" not in str(await world.api("GET", f"audit_logs/{entry['id']}", name="root"))
    signed = await world.control.desk.sign_in("grace", "a good password")
    assert signed.token


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"username": "ada"}, "already used"),
        ({"username": "no spaces"}, "is not a username"),
        ({"username": "grace", "password": "x"}, "too short"),
    ],
)
async def test_an_account_that_cannot_be_is_refused(world: World, given: dict[str, str], says: str) -> None:
    async with browser(world, "root") as root:
        await root.open("/connect/people")
        await root.submit("/people/new", {**given, "email": "g@example.org"})
        assert root.status in {400, 409}
        assert says in root.page
        fields = root.form("/people/new").fields
        assert (fields["username"], fields["email"], fields["password"]) == (given["username"], "g@example.org", "")


async def test_roles_are_changed_and_accounts_locked(world: World) -> None:
    bob = (await world.api("GET", "user", name="bob"))["guid"]
    async with browser(world, "root") as root:
        await root.open(f"/connect/people/{bob}")
        await root.submit("/change", {"role": "viewer", "first_name": "Bob"})
        assert (await world.api("GET", f"users/{bob}"))["user_role"] == "viewer"
        await root.submit("/lock")
        assert (await world.get("/__api__/v1/user", "bob")).status_code == 401
        await root.submit("/lock")
        assert (await world.get("/__api__/v1/user", "bob")).status_code == 200
        await root.submit("/revoke")
    assert (await world.get("/__api__/v1/user", "bob")).status_code == 401


async def test_people_change_their_own_names_but_not_their_role(world: World) -> None:
    ada = (await world.api("GET", "user"))["guid"]
    bob = (await world.api("GET", "user", name="bob"))["guid"]
    async with browser(world, "ada") as mine:
        await mine.open(f"/connect/people/{ada}")
        assert "role" not in mine.form("/change").choices
        await mine.submit("/change", {"email": "ada@example.org"})
        assert (await world.api("GET", "user"))["email"] == "ada@example.org"
        token = mine.form("/change").fields["xsrf"]
        await mine.open(f"/connect/people/{bob}")
        assert "/change" not in mine.page
        sent = {"xsrf": token, "email": "x@example.org", "first_name": "", "last_name": ""}
        assert (await mine.client.post(f"/connect/people/{bob}/change", data=sent)).status_code == 403


async def test_viewers_see_their_own_page_and_no_list(world: World) -> None:
    vic = (await world.api("GET", "user", name="vic"))["guid"]
    async with browser(world, "vic") as other:
        for path, status in (("people", 403), ("groups", 403), (f"people/{vic}", 200), ("server", 403), ("audit", 403)):
            await other.open(f"/connect/{path}")
            assert other.status == status, path


async def test_people_are_found_by_how_their_name_begins(world: World) -> None:
    async with browser(world, "ada") as ada:
        page = await ada.open("/connect/people?q=vi")
        assert ("vic" in page, ">bob<" in page) == (True, False)
        assert "Nobody fits" in await ada.open("/connect/people?q=zzz")


async def test_a_group_is_made_filled_emptied_and_deleted(world: World) -> None:
    async with browser(world, "ada") as ada:
        await ada.open("/connect/groups")
        await ada.submit("/groups/new", {"name": "Analysts"})
        await ada.submit("/add", {"name": "bob"})
        assert "1 person" in ada.page
        await ada.submit("/add", {"name": "bob"})
        assert ada.status == 409
        await ada.submit("/take-out")
        assert "Nobody is in it yet" in ada.page
        await ada.submit("/delete", {"name": "analysts?"})
        assert ada.status == 400
        await ada.submit("/delete", {"name": "Analysts"})
        assert "No groups yet" in ada.page


async def test_a_group_of_somebody_else_can_only_be_looked_at(world: World) -> None:
    group = await world.api("POST", "groups", {"name": "Analysts"})
    async with browser(world, "bob") as bob:
        await bob.open(f"/connect/groups/{group['guid']}")
        assert (bob.status, "/add" in bob.page) == (200, False)


async def test_a_key_is_made_for_some_days_and_revoked_and_both_are_in_the_audit_log(world: World) -> None:
    async with browser(world, "ada") as ada:
        await ada.open("/connect/keys")
        await ada.submit("/keys", {"name": "laptop", "role": "viewer", "days": "30"})
        secret = ada.page.partition('id="new-key">')[2].partition("<")[0]
        asked = await world.ask("GET", "/__api__/v1/user", authorization=f"Key {secret}")
        assert asked.json()["username"] == "ada"
        assert "laptop" in ada.page
        me = (await world.api("GET", "user"))["guid"]
        (made,) = [key for key in await world.api("GET", f"users/{me}/keys") if key["name"] == "laptop"]
        assert (made["user_role"], made["expires_at"] is None) == ("viewer", False)
        await ada.submit(f"/keys/{made['id']}/revoke")
        assert (await world.ask("GET", "/__api__/v1/user", authorization=f"Key {secret}")).status_code == 401
    entries = (await world.api("GET", "audit_logs?limit=2", name="root"))["results"]
    assert [entry["action"] for entry in entries] == ["delete_key", "create_key"]
    assert secret not in str(entries)


async def test_a_key_above_ones_role_or_without_a_name_is_refused(world: World) -> None:
    async with browser(world, "ada") as ada:
        await ada.open("/connect/keys")
        token = ada.form("/keys").fields["xsrf"]
        for given in ({"name": "x", "role": "administrator"}, {"name": "", "role": "viewer"}):
            answer = await ada.client.post("/connect/keys", data={"xsrf": token, "days": "", **given})
            assert answer.status_code == 400, given


async def test_hidden_addresses_and_people_are_on_no_page(house: House) -> None:
    narrow = "HideEmailAddresses = true\n[Authorization]\nViewersCanOnlySeeThemselves = true\n"
    config = f"[Server]\nDataDir = {house.folder}\nAddress = {ORIGIN}\n{narrow}[Applications]\nSandbox = off\n"
    (house.folder / "rostra.gcfg").write_text(config)
    async with house.open() as world:
        await world.people()
        guids = {name: (await world.api("GET", "user", name=name))["guid"] for name in ("ada", "bob", "root")}
        for name, guid in guids.items():
            await world.api("PUT", f"users/{guid}", {"email": f"{name}@example.org"}, name="root")
        item = (await world.api("POST", "content", {"name": "sales"}))["guid"]
        seen: dict[str, str] = {}
        for name in ("root", "bob"):
            async with browser(world, name) as mine:
                for path in ("people", f"people/{guids['ada']}", "groups", f"content/{item}"):
                    await mine.open(f"/connect/{path}")
                    seen[name] = seen.get(name, "") + mine.page
                seen[name] += (await world.get(f"/content/{item}/", name, accept="text/html")).text
        assert [f"{who}@example.org" in seen["root"] for who in guids] == [True, True, True]
        assert [f"{who}@example.org" in seen["bob"] for who in guids] == [False, True, False]
        await world.api("PUT", f"users/{guids['bob']}", {"user_role": "viewer"}, name="root")
        async with browser(world, "bob") as mine:
            for path in ("people", f"people/{guids['ada']}", "groups"):
                await mine.open(f"/connect/{path}")
                assert (mine.status, "root" in mine.page, "ada" in mine.page) == (403, False, False)


async def test_people_change_their_own_password(world: World) -> None:
    async with browser(world, "root") as root:
        await root.open("/connect/people")
        await root.submit("/people/new", {"username": "grace", "role": "viewer", "password": "a good password"})
    async with browser(world, "grace") as grace:
        guid = (await grace.client.get("/__api__/v1/user")).json()["guid"]
        await grace.open(f"/connect/people/{guid}")
        sent = {"present": "a good password", "password": "a better password", "again": "a better passwort"}
        await grace.submit("/password", sent)
        assert "the new passwords are not the same" in grace.page.lower()
        assert "a better" not in grace.page
        await grace.submit("/password", sent | {"again": "a better password", "present": "a bad password"})
        assert (grace.status, "The present password is wrong" in grace.page) == (403, True)
        await grace.submit("/password", sent | {"again": "a better password"})
        assert (grace.status, "The password is changed." in grace.page) == (200, True)
        await grace.open("/connect/")
        assert grace.status == 200, "this browser stays signed in"
    assert (await world.control.desk.sign_in("grace", "a better password")).token


async def test_nobody_changes_somebody_elses_password(world: World) -> None:
    bob = (await world.api("GET", "user", name="bob"))["guid"]
    async with browser(world, "root") as root:
        assert "/password" not in await root.open(f"/connect/people/{bob}")
