"""People and their API keys."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends
from pydantic import AwareDatetime, BaseModel
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Reading, Writing, after_commit
from rostra.api.paging import Page, Paged
from rostra.api.services import Services
from rostra.api.sight import Shown, Sight
from rostra.api.sight import sight as sight_of
from rostra.auth import keys, users
from rostra.auth.bootstrap import bootstrap as first_administrator
from rostra.auth.errors import LONGEST_FIELD, SHORTEST_PASSWORD, NoSuchRole, NotYourself
from rostra.auth.passwords import LONGEST
from rostra.auth.principals import Principal, Role, lowered
from rostra.auth.tables import ApiKey, User
from rostra.clock import wire_time
from rostra.errors import Forbidden, Invalid
from rostra.wire import Guid, Id, Time, choice, one_of, several, text

router = Router()


class NotYourKeys(Forbidden):
    code = "not-your-keys"

    def __init__(self) -> None:
        super().__init__("these are another person's API keys", hint="Only that person can make them.")


class BadTicket(Invalid):
    """There is no external directory, so nobody was given a ticket."""

    code = "bad-ticket"
    number = 127

    def __init__(self) -> None:
        super().__init__("the ticket is not valid", hint="This server has no external directory; make an account.")


class NotYourAccount(Forbidden):
    code = "not-your-account"

    def __init__(self) -> None:
        super().__init__("this is another person's account", hint="Ask that person or an administrator.")


class TicketBody(BaseModel):
    temp_ticket: Any = None


class LockBody(BaseModel):
    locked: bool


_Field = text(most=LONGEST_FIELD)


class NewUserBody(BaseModel):
    username: Annotated[str, text(pattern=f"^{users.USERNAME}$")]
    email: Annotated[str, _Field] = ""
    first_name: Annotated[str, _Field] = ""
    last_name: Annotated[str, _Field] = ""
    password: Annotated[str | None, text(SHORTEST_PASSWORD, LONGEST, null=True)] = None
    user_role: Annotated[str, choice(Role)] = Role.viewer.value


class UserBody(TypedDict, total=False):
    """What is left out, or null, stays as it is; a username or a role that is empty too."""

    username: Annotated[Any, text(pattern=f"^({users.USERNAME})?$", null=True)]
    email: Annotated[Any, text(most=LONGEST_FIELD, null=True)]
    first_name: Annotated[Any, text(most=LONGEST_FIELD, null=True)]
    last_name: Annotated[Any, text(most=LONGEST_FIELD, null=True)]
    user_role: Annotated[Any, choice(("", *Role), null=True)]


class NewKeyBody(BaseModel):
    name: Annotated[str, text(1, keys.LONGEST_NAME)]
    user_role: Annotated[str | None, choice(Role, null=True)] = None
    expires_at: AwareDatetime | None = None


async def _hashed(
    who: Administrator,  # noqa: ARG001  (hashing is work for those who may ask for it)
    wanted: Annotated[NewUserBody, edge.parsed(NewUserBody)],
    live: Live,
) -> str | None:
    """Hash before the transaction begins: it takes a tenth of a second."""
    return None if wanted.password is None else await users.hash_password(live.passwords, wanted.password)


HashedPassword = Annotated[str | None, Depends(_hashed)]


class PersonShape(TypedDict):
    email: str
    username: str
    first_name: str
    last_name: str
    user_role: Annotated[str, one_of(Role)]
    created_time: Time
    updated_time: Time
    active_time: Time | None
    confirmed: bool
    locked: bool
    guid: Guid


class KeyShape(TypedDict):
    id: Id
    name: str
    user_role: Annotated[str, one_of(Role)]
    created_time: Time
    active_time: Time | None
    expires_at: Time | None


class NewKey(TypedDict):
    """``key`` is the secret; no other answer has it."""

    id: Id
    name: str
    key: str
    user_role: Annotated[str, one_of(Role)]
    created_time: Time
    active_time: Time | None
    expires_at: Time | None


class FirstKey(TypedDict):
    api_key: str


def shape(user: User, sight: Sight) -> PersonShape:
    """Return a person as clients know one; exactly these keys. An address that is hidden is empty."""
    return {
        "email": sight.email(user),
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "user_role": user.role,
        "created_time": wire_time(user.created_at),
        "updated_time": wire_time(user.updated_at),
        "active_time": _time(user.active_at),
        "confirmed": user.confirmed,
        "locked": user.locked,
        "guid": user.guid,
    }


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else wire_time(moment)


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError as why:
        raise NoSuchRole(name) from why


@router.get("/v1/user")
@router.get("/me")
async def me(who: Known, sight: Shown, session: Reading) -> PersonShape:
    """The person who asks."""
    return shape(await users.by_id(session, who.user_id), sight)


@router.get("/v1/users")
async def list_users(
    *,
    sight: Shown,
    session: Reading,
    page: Paged,
    prefix: str = "",
    live: Live,
    user_role: Annotated[str, several(Role)] = "",
    account_status: Annotated[str, several(users.State)] = "",
    sort: Annotated[str, choice(("", *users.SORTABLE))] = "",
    asc_order: bool = True,
) -> Page[PersonShape]:
    """People whose username or name begins with ``prefix``; several roles or states are separated by ``|``."""
    found = await users.find(
        session,
        prefix=prefix,
        roles=[_role(name) for name in user_role.split("|") if name],
        states=[users.state(name) for name in account_status.split("|") if name],
        now=live.clock.now(),
        order=users.order(sort if sight.emails or sort != "email" else "", ascending=asc_order),
        only=sight.only,
        page=page.number,
        size=page.size,
    )
    return page.of([shape(user, sight) for user in found.users], found.total)


@router.get("/v1/users/remote")
async def list_remote_users(who: Known, page: Paged, prefix: str = "", limit: int = 0) -> Page[PersonShape]:  # noqa: ARG001
    """People of an external directory: there is none."""
    return page.of([], 0)


@router.put("/v1/users")
async def add_remote_user(
    who: Administrator,  # noqa: ARG001
    wanted: Annotated[TicketBody, edge.parsed(TicketBody)],  # noqa: ARG001
) -> PersonShape:
    """Add a person found in an external directory: there is none, so every ticket is bad."""
    raise BadTicket


@router.post("/v1/users", status_code=201)
async def create_user(
    who: Administrator,
    wanted: Annotated[NewUserBody, edge.parsed(NewUserBody)],
    hashed: HashedPassword,
    live: Live,
    session: Writing,
) -> PersonShape:
    """Make an account; without a password it is signed in to with keys only."""
    new = users.NewUser(
        username=wanted.username,
        role=_role(wanted.user_role),
        email=wanted.email,
        first_name=wanted.first_name,
        last_name=wanted.last_name,
    )
    users.check_new(new)
    return shape(await users.add(session, new, hashed, live.clock.now()), sight_of(who, live.settings()))


@router.get("/v1/users/{guid}")
async def get_user(guid: str, sight: Shown, session: Reading) -> PersonShape:
    """One person."""
    return shape(sight.check_user(await users.by_guid(session, guid)), sight)


@router.put("/v1/users/{guid}")
async def change_user(
    guid: str,
    given: Annotated[dict[str, Any], edge.parsed(dict[str, Any], UserBody)],
    live: Live,
    sight: Shown,
    session: Writing,
) -> PersonShape:
    """Change email, names, username or role; a person may change their own email and names."""
    who = sight.who
    user = sight.check_user(await users.by_guid(session, guid))
    if user.id != who.user_id and not who.is_administrator:
        raise NotYourAccount
    await users.change(session, user, given, by_administrator=who.is_administrator, now=live.clock.now())
    after_commit(session, _forgets(live))
    return shape(user, sight)


@router.post("/v1/users/{guid}/lock")
async def lock_user(
    guid: str,
    who: Administrator,
    wanted: Annotated[LockBody, edge.parsed(LockBody)],
    live: Live,
    session: Writing,
) -> PersonShape:
    """Lock or unlock an account; whoever is locked out is so at once, on every page."""
    user = await users.by_guid(session, guid)
    if user.id == who.user_id:
        raise NotYourself
    user.locked = wanted.locked
    after_commit(session, _forgets(live))
    return shape(user, sight_of(who, live.settings()))


def _forgets(live: Services) -> Callable[[], Awaitable[None]]:
    async def told() -> None:
        live.on_credential_changed()

    return told


def key_shape(key: ApiKey, owner: User) -> KeyShape:
    return {
        "id": str(key.id),
        "name": key.name,
        "user_role": key.role or owner.role,
        "created_time": wire_time(key.created_at),
        "active_time": _time(key.active_at),
        "expires_at": _time(key.expires_at),
    }


def _check_may_manage(who: Principal, guid: str) -> None:
    if guid != who.guid and not who.is_administrator:
        raise NotYourKeys


@router.get("/v1/users/{guid}/keys")
async def list_keys(guid: str, who: Known, session: Reading) -> list[KeyShape]:
    """A person's API keys, without their secrets."""
    _check_may_manage(who, guid)
    owner = await users.by_guid(session, guid)
    return [key_shape(key, owner) for key in await keys.of_user(session, owner.id)]


@router.get("/v1/users/{guid}/keys/{key_id}")
async def get_key(guid: str, key_id: str, who: Known, session: Reading) -> KeyShape:
    """One API key, without its secret."""
    _check_may_manage(who, guid)
    owner = await users.by_guid(session, guid)
    return key_shape(await keys.one_of_user(session, owner.id, key_id), owner)


@router.post("/v1/users/{guid}/keys", status_code=201)
async def create_key(
    guid: str, who: Known, wanted: Annotated[NewKeyBody, edge.parsed(NewKeyBody)], live: Live, session: Writing
) -> NewKey:
    """Make an API key for oneself; this answer is the only one that has it."""
    if guid != who.guid:
        raise NotYourKeys
    keys.check_lasting(who)
    asked = None if wanted.user_role is None else _role(wanted.user_role)
    # A limited key must not make an unlimited one.
    cap = who.key_cap if asked is None else lowered(asked, who.key_cap)
    key, secret = await keys.create(
        session, who.user_id, wanted.name, live.clock.now(), cap=cap, expires_at=wanted.expires_at
    )
    shaped = key_shape(key, await users.by_id(session, who.user_id))
    return {
        "id": shaped["id"],
        "name": shaped["name"],
        "key": secret,
        "user_role": shaped["user_role"],
        "created_time": shaped["created_time"],
        "active_time": shaped["active_time"],
        "expires_at": shaped["expires_at"],
    }


@router.delete("/v1/users/{guid}/keys/{key_id}", status_code=204)
async def delete_key(guid: str, key_id: str, who: Known, live: Live, session: Writing) -> Response:
    """Revoke an API key at once."""
    _check_may_manage(who, guid)
    owner = await users.by_guid(session, guid)
    await session.delete(await keys.one_of_user(session, owner.id, key_id))
    after_commit(session, _forgets(live))
    return Response(status_code=204)


@router.get("/v1/user/api_keys")
@router.get("/keys")
async def my_keys(who: Known, session: Reading) -> list[KeyShape]:
    """The caller's own API keys, without their secrets."""
    owner = await users.by_id(session, who.user_id)
    return [key_shape(key, owner) for key in await keys.of_user(session, owner.id)]


@router.delete("/v1/user/api_keys/{key_id}", status_code=204)
@router.delete("/keys/{key_id}", status_code=204)
async def delete_my_key(key_id: str, who: Known, live: Live, session: Writing) -> Response:
    """Revoke one of the caller's own keys at once."""
    await session.delete(await keys.one_of_user(session, who.user_id, key_id))
    after_commit(session, _forgets(live))
    return Response(status_code=204)


@router.post("/v1/experimental/bootstrap")
@router.post("/v1/bootstrap")
async def bootstrap(request: Request, live: Live, session: Writing) -> FirstKey:
    """Make the first administrator and the first key, for whoever knows the server's secret."""
    authorization = request.headers.get("authorization")
    return {"api_key": await first_administrator(session, authorization, live.bootstrap_secret, live.clock.now())}
