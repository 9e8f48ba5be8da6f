"""Decides for the gateway: who may see what, and which processes answer. Control's side of every visit."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.app.decide_socket import DecideSocket, Message
from rostra.app.uses import Uses
from rostra.auth import groups
from rostra.auth.credentials import Credential, Scheme, who
from rostra.auth.principals import BadCredential, Principal, Via
from rostra.content import access, items, permissions, session_tokens, usage_sessions
from rostra.content.paths import Place, base_path, place, pool_key
from rostra.content.processes import Processes
from rostra.content.tables import Bundle, Item
from rostra.content.tools import Tools
from rostra.content.usage import Record, Seen
from rostra.db.engine import transaction
from rostra.errors import Problem
from rostra.execution.pool import Member
from rostra.ids import PoolKey, ProcessKey
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name

log = structlog.get_logger()

LEAST_PATIENCE = 0.1  # seconds
YES_SECONDS = 60  # how long the gateway may remember who may come in; changes are pushed, so this is a safety net
NO_SECONDS = 1  # also for the key of a process: it ends with the process, and nobody knows it by then to take it back
TO_CONTROL: Message = {"to": "control", "ttl": NO_SECONDS}


class Visits:
    """Answers gateways and tells them what changed. One for each control process."""

    def __init__(
        self,
        tools: Tools,
        processes: Processes,
        uses: Uses,
        usage: Record,
        attended: Callable[[usage_sessions.Told], None],
    ) -> None:
        self._tools, self._processes, self._uses, self._usage = tools, processes, uses, usage
        self._attended = attended
        self.socket = DecideSocket(self)
        self._vanity_of: dict[str, str] = {}  # by the item's guid

    @property
    def vanities(self) -> tuple[str, ...]:
        return tuple(self._vanity_of.values())

    async def decide(self, path: str, credential: Mapping[str, str]) -> Message:
        """Return the decision for one (path, credential); see docs/explanation/architecture.md."""
        where = place(path, self.vanities)
        if where is None:
            return TO_CONTROL
        if not where.complete:
            return {"redirect": where.prefix, "ttl": NO_SECONDS}
        shown = Credential(Scheme(credential["scheme"]), credential["value"])
        async with transaction(self._tools.reading) as session:
            return await self._decide(session, where, shown)

    async def _decide(self, session: AsyncSession, where: Place, shown: Credential) -> Message:
        item = await self.item(session, where)
        try:
            principal = await who(session, shown, self._tools.settings().authentication, self._tools.clock.now())
        except BadCredential:
            return TO_CONTROL
        if item is None or item.locked or not await self.may_open(session, item, principal, where):
            return TO_CONTROL
        bundle_id = where.bundle_id if where.bundle_id is not None else item.live_bundle_id
        bundle = await session.get(Bundle, bundle_id) if bundle_id is not None else None
        if bundle is None or bundle.item_id != item.id or by_name(bundle.kind).mode is not Mode.interactive:
            return TO_CONTROL
        key = pool_key(item.guid, where.bundle_id)
        if await self._processes.lost(bundle) or not await self._processes.define(key):
            return TO_CONTROL
        self._uses.note(principal)
        named = await self._named(session, principal)
        return {
            "to": "pool",
            "prefix": where.prefix,
            "base": base_path(item.guid, item.vanity_path, where.bundle_id, server=self._tools.server_path),
            "pool": key,
            "item": item.guid,
            "user": principal.guid if principal else None,
            "headers": [
                *identity(named),
                *shiny_identity(named, bundle.kind),
                *self._session_token(principal, item),
            ],
            "sticky": by_name(bundle.kind).sticky,
            "stripped": by_name(bundle.kind).stripped,
            "ttl": NO_SECONDS if principal and principal.via is Via.process_key else YES_SECONDS,
        }

    async def _named(self, session: AsyncSession, principal: Principal | None) -> Named | None:
        if principal is None:
            return None
        return Named(principal.username, tuple(await groups.names_of_user(session, principal.user_id)))

    def _session_token(self, principal: Principal | None, item: Item) -> list[list[str]]:
        """Return the header with which content asks for an API key of its visitor."""
        if principal is None:
            return []
        visitor = session_tokens.Visitor(principal.guid, item.guid)
        token = session_tokens.make(self._tools.box, visitor, self._tools.clock.now())
        return [["Posit-Connect-User-Session-Token", token]]

    async def item(self, session: AsyncSession, where: Place) -> Item | None:
        """Return the item a place means, unless it is deleted."""
        if where.guid is not None:
            return await items.find(session, where.guid)
        found = sa.select(Item).where(Item.vanity_path == where.vanity, Item.deleted_at.is_(None))
        return (await session.execute(found)).scalar_one_or_none()

    async def may_open(self, session: AsyncSession, item: Item, principal: Principal | None, where: Place) -> bool:
        """Return whether a visitor may see the item; a draft is for those who may change it."""
        facts = await permissions.facts(session, item, principal)
        return access.may_edit(principal, facts) if where.bundle_id is not None else access.may_view(principal, facts)

    async def process(self, pool: str) -> bool:
        """Start one more process for the pool and wait for it; False when the page should explain."""
        key = PoolKey(pool)
        try:
            if not await self._processes.define(key):
                return False
            if not self._tools.pools.members(key):
                return await self._started(key)
            return await self._tools.pools.ask_for_room(key)
        except Problem as why:
            log.debug("no process for a visit", pool=pool, why=why.message)
            return False

    async def _started(self, key: PoolKey) -> bool:
        """Wait for a process; False when packages take so long to install that the visitor had better come back.

        Raises:
            Problem: none can be started.
        """
        starting = asyncio.ensure_future(self._tools.pools.ensure(key))
        try:
            while not starting.done():
                patience = self._tools.settings().applications.build_patience.total_seconds()
                await asyncio.wait((starting,), timeout=max(patience, LEAST_PATIENCE))
                if not starting.done() and self._processes.standing(key).installing:
                    return False
            await starting
            return True
        finally:
            starting.cancel()  # the start itself goes on: whoever comes next waits for the same one

    async def told(self, message: Message) -> None:
        """Take what a gateway reports."""
        pools = self._tools.pools
        match message["tell"]:
            case "hello":
                pools.hello(_loads(message["loads"]))
            case "loads":
                pools.loads(PoolKey(message["pool"]), _loads(message["loads"]))
            case "unreachable":
                pools.unreachable(ProcessKey(message["process"]))
            case "visits":
                for row in message["rows"]:
                    self._usage(_seen(row))
            case "sessions":
                for row in message["rows"]:
                    self._attended(_told(row))
            case _:
                pass

    def greeting(self) -> list[Message]:
        """Return every pool and vanity path there is."""
        known = self._tools.pools.announcements().items()
        return [self._vanities(), *(_pool(key, members, comfort) for key, (members, comfort) in known)]

    def pool_changed(self, key: PoolKey, members: tuple[Member, ...], comfort: int) -> None:
        """Tell gateways which processes a pool has now."""
        self.socket.push(_pool(key, members, comfort))

    async def item_changed(self, guid: str) -> None:
        """Tell gateways to ask anew about an item, under its guid and under the vanity path it has or had."""
        before = self._vanity_of.get(guid)
        await self.read_vanities()
        now = self._vanity_of.get(guid)
        for prefix in _each_once(f"/content/{guid}/", before, now):
            self.socket.push({"push": "forget", "prefix": prefix, "credential": None})
        if before != now:
            self.socket.push(self._vanities())

    def credential_changed(self) -> None:
        """Tell gateways to forget what they know of anybody (a key was revoked, a person locked or signed out)."""
        self.socket.push({"push": "forget", "prefix": None, "credential": None})

    async def read_vanities(self) -> None:
        async with transaction(self._tools.reading) as session:
            wanted = sa.select(Item.guid, Item.vanity_path).where(Item.vanity_path.is_not(None))
            rows = await session.execute(wanted.where(Item.deleted_at.is_(None)))
            self._vanity_of = {guid: path for guid, path in rows if path}

    def _vanities(self) -> Message:
        return {"push": "vanities", "paths": list(self.vanities)}


@dataclass(frozen=True, slots=True)
class Named:
    """What content is told of a person."""

    username: str
    groups: tuple[str, ...] = ()


def identity(named: Named | None) -> list[list[str]]:
    """Return the headers that tell content who is there; nothing for somebody unknown."""
    if named is None:
        return []
    told = json.dumps({"user": named.username, "groups": named.groups}, ensure_ascii=True)
    return [["RStudio-Connect-Credentials", told]]


def shiny_identity(named: Named | None, kind: str) -> list[list[str]]:
    """Return the header in which Shiny for R looks for who is there (``session$user``), with the same content."""
    if kind not in ("shiny", "rmd-shiny"):
        return []
    return [["Shiny-Server-Credentials", value] for _, value in identity(named)]


def _each_once(*prefixes: str | None) -> Iterator[str]:
    yield from dict.fromkeys(prefix for prefix in prefixes if prefix)


def _pool(key: PoolKey, members: tuple[Member, ...], comfort: int) -> Message:
    rows = [{"key": member.key, "socket": str(member.socket), "room": member.room} for member in members]
    return {"push": "pool", "pool": key, "processes": rows, "comfort": comfort}


def _seen(row: Sequence[Any]) -> Seen:
    item, user, path, at, agent = row
    moment = dt.datetime.fromtimestamp(float(at), dt.UTC)
    return Seen(item=str(item), user=user, path=str(path), at=moment, agent=str(agent))


def _told(row: Sequence[Any]) -> usage_sessions.Told:
    key, item, user, began, ended = row
    moments = (None if at is None else dt.datetime.fromtimestamp(float(at), dt.UTC) for at in (began, ended))
    first, last = moments
    if first is None:
        raise ValueError("a session without a beginning")
    return usage_sessions.Told(key=str(key), item=str(item), user=user, began=first, ended=last)


def _loads(raw: Any) -> dict[ProcessKey, int]:
    return {ProcessKey(key): int(count) for key, count in raw.items()}
