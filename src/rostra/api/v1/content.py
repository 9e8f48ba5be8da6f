"""Content: making, finding, changing and deleting items."""

from __future__ import annotations

from typing import Annotated, Any

from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge, shapes
from rostra.api.addresses import Links
from rostra.api.answers import Made, Router
from rostra.api.content_body import ContentBody, NewContentBody
from rostra.api.content_shapes import Content
from rostra.api.edge import Known, Live, Publisher, Reading, Writing
from rostra.api.subjects import Edited, Inspected, Subject, Viewed
from rostra.auth import users
from rostra.content import access, items, limits
from rostra.content.errors import InvalidField
from rostra.errors import Forbidden, Invalid
from rostra.wire import Guid

router = Router()

New = Annotated[dict[str, Any], edge.parsed(dict[str, Any], NewContentBody)]
Fields = Annotated[dict[str, Any], edge.parsed(dict[str, Any], ContentBody)]

# Clients send back whole objects: what cannot be set by hand is left out without a word.
_READ_ONLY = frozenset(
    [
        *("guid", "id", "created_time", "last_deployed_time", "bundle_id", "app_mode", "parameterized"),
        *("environment_guid", "cluster_name", "image_name", "r_version", "py_version", "quarto_version"),
        *("node_version", "r_environment_management", "py_environment_management", "content_url", "dashboard_url"),
        *("app_role", "owner", "tags", "vanity_url", "public_content_status"),
    ]
)
_OWN_WORDS = {"default_py_environment_management": "manage_python"}


class MayNotLock(Forbidden):
    code = "may-not-lock"
    number = 49

    def __init__(self) -> None:
        super().__init__("you may not lock or unlock this content", hint="Ask its owner or an administrator.")


class MayNotRunAs(Forbidden):
    code = "may-not-run-as"

    def __init__(self) -> None:
        super().__init__("only an administrator chooses the account content runs as", hint="Ask an administrator.")


class NotPublic(Invalid):
    code = "not-public"
    number = 259

    def __init__(self) -> None:
        super().__init__("this content is not open to everybody", hint='Set its access_type to "all" first.')


def settable(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields to set, in Rostra's own words; ``owner_guid`` is left for `_transfer`."""
    return {
        _OWN_WORDS.get(name, name): value
        for name, value in given.items()
        if name not in _READ_ONLY and name != "owner_guid"
    }


def _include(text: str) -> frozenset[str]:
    return frozenset(text.split(","))


class AccessTest(TypedDict):
    content_guid: Guid
    accessible: bool
    reasons: list[str]


@router.get("/v1/content")
async def list_content(
    *,
    who: Known,
    session: Reading,
    links: Links,
    name: str | None = None,
    owner_guid: str | None = None,
    include: str = "",
) -> Annotated[Response, Made(json=list[Content])]:
    """All content the caller may know of, last deployed first; ``name`` is compared exactly."""
    shown = await shapes.listing(session, who, links, _include(include), name=name, owner_guid=owner_guid)
    return Response(shown, media_type="application/json")


@router.post("/v1/content", status_code=201)
async def create_content(who: Publisher, given: New, live: Live, session: Writing, links: Links) -> Content:
    """Make an item; without a name it gets one."""
    _check_run_as(given, None, who.is_administrator)
    item = await items.create(
        session, who.user_id, settable(given), now=live.clock.now(), ceilings=limits.ceilings(live.settings().scheduler)
    )
    return await shapes.one_content(session, who, item, links)


@router.get("/v1/content/{guid}")
async def get_content(subject: Viewed, links: Links, include: str = "") -> Content:
    """One item."""
    return await shapes.one_content(subject.session, subject.who, subject.item, links, _include(include))


@router.patch("/v1/content/{guid}")
async def change_content(given: Fields, subject: Edited, live: Live, links: Links) -> Content:
    """Change some fields; ``{}`` is legal, ``owner_guid`` gives it to somebody else."""
    _check_run_as(given, subject.item.run_as, subject.who.is_administrator)
    locking = "locked" in given and given["locked"] != subject.item.locked
    if locking and not access.may_transfer(subject.who, subject.facts):
        raise MayNotLock
    now, ceilings = live.clock.now(), limits.ceilings(live.settings().scheduler)
    await items.change(subject.session, subject.item, settable(given), now=now, ceilings=ceilings)
    if given.get("owner_guid") is not None:
        await _transfer(subject, given["owner_guid"], live)
    if given:
        subject.changed()
    return await shapes.one_content(subject.session, subject.who, subject.item, links)


def _check_run_as(given: dict[str, Any], present: str | None, administrator: bool) -> None:
    if (given.get("run_as") or None) != (present or None) and "run_as" in given and not administrator:
        raise MayNotRunAs


async def _transfer(subject: Subject, owner_guid: object, live: Live) -> None:
    if not isinstance(owner_guid, str):
        raise InvalidField("owner_guid", "a user's guid")
    new_owner = await users.by_guid(subject.session, owner_guid)
    if new_owner.id != subject.item.owner_id:
        access.require(access.may_transfer(subject.who, subject.facts), subject.who)
        await items.transfer(subject.session, subject.item, new_owner, live.clock.now())


@router.delete("/v1/content/{guid}", status_code=204)
async def delete_content(subject: Edited, live: Live) -> Response:
    """Delete an item with everything that belongs to it."""
    await items.delete(subject.session, subject.item, live.clock.now())
    subject.changed()
    return Response(status_code=204)


@router.post("/v1/content/{guid}/access-test")
async def test_access(subject: Inspected) -> AccessTest:
    """Say whether somebody who is not signed in can open the item now, and if not, why.

    Nothing is called over the network: it is what this server would decide.
    """
    if subject.item.access_type != access.Access.all:
        raise NotPublic
    reasons = [
        why
        for holds, why in (
            (subject.item.locked, "it is locked"),
            (subject.item.live_bundle_id is None, "nothing has been deployed yet"),
        )
        if holds
    ]
    return {"content_guid": subject.guid, "accessible": not reasons, "reasons": reasons}
