"""Accounts and groups: everybody who publishes may look them up, administrators look after accounts."""

from __future__ import annotations

from typing import Any

from rostra.auth.principals import Role
from rostra.errors import Forbidden, Invalid
from rostra.web.item_access import SUGGESTED, user_guid
from rostra.web.paged import page_number, pager
from rostra.web.screens import Call, Screen, done, part

SIZE = 50  # rows on a page


class _Publishers(Forbidden):
    code = "publishers-only"

    def __init__(self) -> None:
        super().__init__("this page is for people who publish", hint="Ask an administrator if you need to.")


async def _people(call: Call) -> dict[str, Any]:
    _check(call)
    query = {"prefix": call.asked("q"), "user_role": call.asked("role"), "account_status": call.asked("state")}
    number = page_number(call)
    found = await call.get("v1/users", page_number=str(number), page_size=str(SIZE), sort="username", **query)
    return {
        "people": found["results"],
        "total": found["total"],
        "pages": pager(call, number, found["total"], SIZE),
        "query": query,
        "roles": list(Role),
    }


async def _new(call: Call) -> str:
    wanted = {name: call.text(name) for name in ("username", "email", "first_name", "last_name")}
    password = call.form.get("password", "")
    wanted |= {"user_role": call.text("role")} | ({"password": password} if password else {})
    made = await call.ask("POST", "v1/users", wanted)
    return done(f"people/{made['guid']}", "made")


async def _person(call: Call) -> dict[str, Any]:
    if call.guid != call.who.guid:
        _check(call)
    keys = await call.get(f"v1/users/{call.guid}/keys") if _may_change(call) else []
    return {
        "person": await call.get(f"v1/users/{call.guid}"),
        "keys": keys,
        "roles": list(Role),
        "myself": call.guid == call.who.guid,
        "may_change": _may_change(call),
    }


def _may_change(call: Call) -> bool:
    return call.who.is_administrator or call.guid == call.who.guid


async def _change(call: Call) -> str:
    wanted = {name: call.text(name) for name in ("email", "first_name", "last_name")}
    if call.who.is_administrator:
        wanted |= {"username": call.text("username"), "user_role": call.text("role")}
    await call.ask("PUT", f"v1/users/{call.guid}", wanted)
    return done(f"people/{call.guid}", "saved")


async def _password(call: Call) -> str:
    if call.form.get("password", "") != call.form.get("again", ""):
        raise Invalid("the new passwords are not the same", hint="Write both again.")
    wanted = {"password": call.form.get("password", ""), "present_password": call.form.get("present", "")}
    await call.ask("PUT", "v1/user/password", wanted)
    return done(f"people/{call.guid}", "password")


async def _lock(call: Call) -> str:
    locked = call.text("locked") == "yes"
    await call.ask("POST", f"v1/users/{call.guid}/lock", {"locked": locked})
    return done(f"people/{call.guid}", "account-locked" if locked else "unlocked")


async def _revoke(call: Call) -> str:
    await call.ask("DELETE", f"v1/users/{call.guid}/keys/{part(call.text('key'))}")
    return done(f"people/{call.guid}", "removed")


async def _groups(call: Call) -> dict[str, Any]:
    _check(call)
    number = page_number(call)
    found = await call.get("v1/groups", page_number=str(number), page_size=str(SIZE), prefix=call.asked("q"))
    return {
        "groups": found["results"],
        "query": {"prefix": call.asked("q")},
        "pages": pager(call, number, found["total"], SIZE),
    }


async def _new_group(call: Call) -> str:
    made = await call.ask("POST", "v1/groups", {"name": call.text("name")})
    return done(f"groups/{made['guid']}", "made")


async def _group(call: Call) -> dict[str, Any]:
    _check(call)
    group = await call.get(f"v1/groups/{call.guid}")
    number = page_number(call)
    members = await call.get(f"v1/groups/{call.guid}/members", page_number=str(number), page_size=str(SIZE))
    return {
        "group": group,
        "members": members["results"],
        "total": members["total"],
        "pages": pager(call, number, members["total"], SIZE),
        "may_change": call.who.is_administrator or group["owner_guid"] == call.who.guid,
        "suggested": [one["username"] for one in (await call.get("v1/users", page_size=str(SUGGESTED)))["results"]],
    }


async def _add(call: Call) -> str:
    guid = await user_guid(call, call.text("name"))
    await call.ask("POST", f"v1/groups/{call.guid}/members", {"user_guid": guid})
    return done(f"groups/{call.guid}", "saved")


async def _take_out(call: Call) -> str:
    await call.ask("DELETE", f"v1/groups/{call.guid}/members/{part(call.text('person'))}")
    return done(f"groups/{call.guid}", "removed")


async def _delete_group(call: Call) -> str:
    group = await call.get(f"v1/groups/{call.guid}")
    if call.text("name") != group["name"]:
        raise Invalid("the name is not the same", hint="Write it as it stands at the top of this page.")
    await call.ask("DELETE", f"v1/groups/{call.guid}")
    return done("groups", "deleted")


def _check(call: Call) -> None:
    if not call.who.may_publish:
        raise _Publishers


SCREENS = (
    Screen(path="people", template="people.html", here="people", load=_people, acts={"new": _new}),
    Screen(
        path="people/{guid:uuid}",
        template="person.html",
        here="people",
        load=_person,
        acts={"change": _change, "lock": _lock, "revoke": _revoke, "password": _password},
    ),
    Screen(path="groups", template="groups.html", here="people", load=_groups, acts={"new": _new_group}),
    Screen(
        path="groups/{guid:uuid}",
        template="group.html",
        here="people",
        load=_group,
        acts={"add": _add, "take-out": _take_out, "delete": _delete_group},
    ),
)
