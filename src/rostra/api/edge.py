"""What endpoints declare in their signatures: the transaction, who is asking, and what that person must be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from rostra.api import bodies
from rostra.api.services import Services
from rostra.auth import credentials, service_tokens, tokens_signed
from rostra.auth.principals import Principal, Role, Via
from rostra.auth.sessions import XSRF_COOKIE, XSRF_HEADER
from rostra.content import audit_log
from rostra.db.engine import transaction
from rostra.errors import Forbidden, Invalid, NotSignedIn

_AFTER = "after_commit"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
MOUNT = "/__api__"
SCOPE = "rostra_scope"  # the attribute that says which scope and which role a dependency asks for
BODY = "rostra_body"  # the attribute that tells the API's description what a dependency reads


class SignInNeeded(NotSignedIn):
    code = "sign-in-needed"

    def __init__(self) -> None:
        super().__init__("you need to say who you are", hint="Send an API key: Authorization: Key ...")


class RoleTooLow(Forbidden):
    """``needed`` is the weakest role that may do this."""

    code = "role-too-low"

    def __init__(self, needed: Role) -> None:
        self.needed = needed
        super().__init__(
            f"you need to be {'an' if needed is Role.administrator else 'a'} {needed.value} to do this",
            hint="Ask an administrator, or use a key that is not limited to a lower role.",
        )


class NulInAddress(Invalid):
    """No database can look for it, and no name has it."""

    code = "nul-in-address"

    def __init__(self) -> None:
        super().__init__("the address has a NUL character", hint="Leave the %00 out.")


async def no_nul(request: Request) -> None:
    """Raises: NulInAddress."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise NulInAddress


def _services(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


Live = Annotated[Services, Depends(_services)]


async def _who(request: Request, live: Live) -> Principal | None:
    shown = credentials.read(request.headers, request.cookies)
    signed = None if shown.scheme is credentials.Scheme.key else tokens_signed.read(request.headers)
    found = await (_by_cookie_or_key(request, live, shown) if signed is None else _by_signature(request, live, signed))
    if found is not None and credentials.is_due(found, live.clock.now()):
        async with transaction(live.sessions) as session:
            await credentials.seen(session, found, live.clock.now())
    return found


async def _by_signature(request: Request, live: Services, signed: tokens_signed.Signed) -> Principal:
    raw: bytes = request.scope["raw_path"]
    path = MOUNT + raw.partition(b"?")[0].decode("latin-1").partition(MOUNT)[2]
    async with transaction(live.reading) as session:
        found = await tokens_signed.who(session, signed, request.method, path, live.clock.now())
    if request.method not in _READS:
        async with transaction(live.sessions) as session:
            await tokens_signed.use_up(session, signed, live.clock.now())
    request.state.signed = signed  # whoever reads the body compares it
    return found


async def _by_cookie_or_key(request: Request, live: Services, shown: credentials.Credential) -> Principal | None:
    if shown == credentials.NOTHING:
        return None
    if shown.scheme is credentials.Scheme.key and service_tokens.is_one(shown.value):
        async with transaction(live.reading) as session:
            return await service_tokens.who(session, shown.value, live.clock.now())
    header, cookie = request.headers.get(XSRF_HEADER), request.cookies.get(XSRF_COOKIE)
    credentials.check_xsrf(request.method, shown, header, cookie)
    async with transaction(live.reading) as session:
        return await credentials.who(session, shown, live.settings().authentication, live.clock.now())


async def _known(request: Request, found: Annotated[Principal | None, Depends(_who)]) -> Principal:
    if found is None:
        raise SignInNeeded
    if found.via is Via.service:
        raise service_tokens.OutOfScope
    request.state.who = found
    return found


Known = Annotated[Principal, Depends(_known)]


def _at_least(role: Role) -> Callable[[Principal], Awaitable[Principal]]:
    async def check(found: Known) -> Principal:
        if not found.role.at_least(role):
            raise RoleTooLow(role)
        return found

    return check


def scoped(scope: str, role: Role) -> Any:
    """Return a dependency that asks for a person of at least ``role``, or for a machine with ``scope``."""

    async def check(request: Request, found: Annotated[Principal | None, Depends(_who)]) -> Principal:
        if found is None:
            raise SignInNeeded
        if found.via is Via.service and scope not in found.scopes:
            raise service_tokens.OutOfScope
        if not found.role.at_least(role):
            raise RoleTooLow(role)
        request.state.who = found
        return found

    setattr(check, SCOPE, (scope, role))
    return Depends(check)


SettingsReader = Annotated[Principal, scoped("server-settings:read", Role.viewer)]
UsageReader = Annotated[Principal, scoped("instrumentation:read", Role.publisher)]
RunsReader = Annotated[Principal, scoped("system:read", Role.publisher)]
AuditReader = Annotated[Principal, scoped("audit:read", Role.administrator)]
SystemReader = Annotated[Principal, scoped("system:read", Role.administrator)]

Publisher = Annotated[Principal, Depends(_at_least(Role.publisher))]
Administrator = Annotated[Principal, Depends(_at_least(Role.administrator))]


def parsed(model: Any, described: Any = None) -> Any:
    """Return a dependency that gives the body as ``model``, to somebody who is signed in.

    ``described`` is what the API's description says of a body whose fields are checked elsewhere, one by one.

    An empty body is an empty object, as old clients send it. Unknown keys are the model's business; the request's
    ``Content-Type`` is nobody's.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(model)

    async def parse(request: Request, who: Known) -> Any:  # noqa: ARG001  (who asks is settled first)
        return bodies.understood(adapter, await bodies.whole(request))

    setattr(parse, BODY, model if described is None else described)
    return Depends(parse)


async def _reading(live: Live) -> AsyncIterator[AsyncSession]:
    async with transaction(live.reading) as session:
        yield session


async def _writing(request: Request, live: Live) -> AsyncIterator[AsyncSession]:
    await bodies.whole(request)  # a slow client must not hold the only writer's place while it sends
    async with transaction(live.sessions) as session:
        recorder = audit_log.attend(session)
        yield session
        await session.flush()
        who = getattr(request.state, "who", None)
        action, subject = request.scope["route"].name, _subject(request)
        audit_log.write(session, recorder, who, action=action, subject=subject, now=live.clock.now())
    for told in session.info.pop(_AFTER, ()):
        await told()


def _subject(request: Request) -> str | None:
    """Return what a request is about, as its path says it."""
    return next(iter(request.path_params.values()), None)


@asynccontextmanager
async def changing(live: Services, who: Principal, action: str, subject: str | None) -> AsyncIterator[AsyncSession]:
    """A transaction of its own, with its entry in the audit log, for endpoints that cannot hold one all the time."""
    async with transaction(live.sessions) as session:
        recorder = audit_log.attend(session)
        yield session
        await session.flush()
        audit_log.write(session, recorder, who, action=action, subject=subject, now=live.clock.now())


# "function": the transaction ends, and can fail, before the answer is sent.
Reading = Annotated[AsyncSession, Depends(_reading, scope="function")]
Writing = Annotated[AsyncSession, Depends(_writing, scope="function")]


def after_commit(session: AsyncSession, told: Callable[[], Awaitable[None]]) -> None:
    """Call ``told`` once the request's transaction is committed, before the answer is sent."""
    session.info.setdefault(_AFTER, []).append(told)
