"""What the dashboard's pages ask of the rest of the server: `web.services.WebServices`, for real."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from rostra.api.services import Deploy
from rostra.app.requests import client_address, credential
from rostra.app.work import WorkShop
from rostra.auth import keys, links, sessions, users
from rostra.auth.credentials import who as who_is
from rostra.auth.passwords import Passwords
from rostra.auth.principals import Principal, Role, lowered
from rostra.auth.sessions import SignedIn
from rostra.auth.tables import User
from rostra.clock import Clock
from rostra.content import access, bundles, items, job_records, permissions
from rostra.content.errors import ItemNotFound
from rostra.content.paths import pool_key, split_pool
from rostra.content.tables import Bundle, Item, Job
from rostra.db.engine import transaction
from rostra.errors import Invalid, NotFound
from rostra.execution import logs
from rostra.ids import PoolKey
from rostra.kinds.registry import by_name
from rostra.runtimes.catalog import Catalog
from rostra.web.site import Site
from rostra.web.views import (
    Access,
    BundleRow,
    ItemPage,
    ItemRow,
    JobRow,
    KeyRow,
    LogsPage,
    ProcessRow,
    Progress,
    RuntimeRow,
    State,
    TaskPage,
    Waiting,
)

SHOWN_LINES = 5000


class NothingRuns(NotFound):
    code = "nothing-runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """See `WebServices` for what each method promises."""

    site: Site
    clock: Clock
    shop: WorkShop
    passwords: Passwords
    catalog: Callable[[], Catalog]
    on_sign_out: Callable[[], None] = field(default=lambda: None)

    # Who is there

    async def principal(self, request: Request) -> Principal | None:
        tools = self.shop.tools
        async with transaction(tools.reading) as session:
            return await who_is(session, credential(request), tools.settings().authentication, self.clock.now())

    def client_address(self, request: Request) -> str:
        return client_address(request)

    async def sign_in(self, username: str, password: str) -> SignedIn:
        async with transaction(self.shop.tools.reading) as session:
            user = await users.sign_in(session, self.passwords, username, password)
        return await self._begin(user)

    async def redeem(self, token: str) -> SignedIn:
        async with transaction(self.shop.tools.sessions) as session:
            user = await links.redeem(session, token, self.clock.now())
        return await self._begin(user)

    async def _begin(self, user: User) -> SignedIn:
        tools, now = self.shop.tools, self.clock.now()
        async with transaction(tools.sessions) as session:
            return await sessions.begin(session, user.id, tools.settings().authentication, now)

    async def sign_out(self, token: str) -> None:
        async with transaction(self.shop.tools.sessions) as session:
            await sessions.end(session, token)
        self.on_sign_out()

    # Content

    async def my_content(self, who: Principal) -> Sequence[ItemRow]:
        async with transaction(self.shop.tools.reading) as session:
            found = await items.listing(session, who)
            mine = [item for item in found if access.may_edit(who, await permissions.facts(session, item, who))]
            return [await self._row(session, item) for item in mine]

    async def item(self, who: Principal, guid: str) -> ItemPage:
        async with transaction(self.shop.tools.reading) as session:
            item, may_change = await self._known(session, who, guid)
            row = await self._row(session, item)
            granted = await permissions.listing(session, item)
            names = {user.guid: user.username for user in (await session.execute(sa.select(User))).scalars()}
            rows = await bundles.listing(session, item) if may_change else ()
            people = tuple(names.get(grant.user_guid, "?") for grant in granted)
            jobs = {job.key: job for job in await job_records.of_item(session, item)}
            listed = tuple(self._bundle(item, bundle) for bundle in rows)
        return ItemPage(
            row=row,
            access=Access(item.access_type),
            description=item.description,
            people=people,
            bundles=listed,
            processes=self._processes(item, jobs) if may_change else (),
            may_change=may_change,
            trouble=self._trouble(item),
        )

    async def logs(self, who: Principal, guid: str, job: str | None, after: int | None) -> LogsPage:
        tools = self.shop.tools
        async with transaction(tools.reading) as session:
            item, may_change = await self._known(session, who, guid)
            access.require(may_change, who)
            records = await job_records.of_item(session, item)
        chosen = next((record for record in records if job in (None, record.key)), None)
        if job is not None and chosen is None:
            raise NotFound(f"this content has no job {job[:40]!r}", hint="Choose one from the list.")
        lines = []
        if chosen is not None and chosen.log:
            lines = [line.text for line in logs.read(tools.places.data_dir / chosen.log)]
        first = max(0, len(lines) - SHOWN_LINES) if after is None else after
        return LogsPage(
            guid=item.guid,
            title=item.title or item.name,
            jobs=tuple(_job(record) for record in records),
            chosen=_job(chosen) if chosen else None,
            lines=tuple(lines[first:]),
            next=len(lines),
            cut=after is None and first > 0,
            download_url=self.site.url(f"/__api__/v1/content/{guid}/jobs/{chosen.key}/log") if chosen else None,
        )

    async def activate(self, who: Principal, guid: str, bundle_id: int) -> str:
        async with transaction(self.shop.tools.sessions) as session:
            item, may_change = await self._known(session, who, guid)
            access.require(may_change, who)
            items.check_unlocked(item)
            wanted = Deploy(guid=item.guid, bundle_id=bundle_id, user_id=who.user_id)
            return await self.shop.enqueue_deploy(session, wanted)

    async def task(self, who: Principal, task_id: str, after: int) -> TaskPage:
        view = await self.shop.tasks.view(task_id, first=after)
        if view.user_id != who.user_id and not who.is_administrator:
            raise NotFound("there is no such task", hint="Begin it again.")
        return TaskPage(
            id=task_id,
            title="Deploy",
            guid=view.subject,
            lines=view.lines,
            next=view.last,
            finished=view.finished,
            error=view.error if view.finished else "",
        )

    async def keys(self, who: Principal) -> Sequence[KeyRow]:
        async with transaction(self.shop.tools.reading) as session:
            found = await keys.of_user(session, who.user_id)
        return [
            KeyRow(
                id=str(key.id),
                name=key.name,
                role=lowered(who.role, Role(key.role) if key.role else None).value,
                created_at=key.created_at,
                used_at=key.active_at,
            )
            for key in found
        ]

    async def new_key(self, who: Principal, name: str, role: str) -> str:
        if role not in tuple(Role):
            raise Invalid(f"{role[:40]!r} is not a role", hint="Choose one from the list.")
        access.require(who.role.at_least(Role(role)), who)
        async with transaction(self.shop.tools.sessions) as session:
            return (await keys.create(session, who.user_id, name, self.clock.now(), cap=Role(role)))[1]

    async def revoke_key(self, who: Principal, key_id: str) -> None:
        async with transaction(self.shop.tools.sessions) as session:
            await session.delete(await keys.one_of_user(session, who.user_id, key_id))
        self.on_sign_out()

    async def runtimes(self, who: Principal) -> Sequence[RuntimeRow]:
        access.require(who.may_publish, who)
        async with transaction(self.shop.tools.reading) as session:
            counted = sa.select(Bundle.runtime_path, sa.func.count()).join(Item, Item.live_bundle_id == Bundle.id)
            pairs = await session.execute(counted.where(Item.deleted_at.is_(None)).group_by(Bundle.runtime_path))
            used = {path: count for path, count in pairs if path}
        return [
            RuntimeRow(
                version=str(row.probe.version or ""),
                path=str(row.probe.executable),
                target=str(row.probe.target),
                implementation=row.probe.implementation,
                state=row.state.value,
                why_not="" if row.usable else row.problem,
                items=used.get(str(row.probe.executable), 0),
            )
            for row in reversed(self.catalog().rows)
        ]

    async def waiting(self, who: Principal | None, pool: str) -> Waiting:
        key = PoolKey(pool)
        guid, draft = split_pool(key)
        async with transaction(self.shop.tools.reading) as session:
            item = await items.get(session, guid)
            facts = await permissions.facts(session, item, who)
        may_edit = access.may_edit(who, facts)
        access.require(may_edit if draft is not None else access.may_view(who, facts), who)
        pools = self.shop.tools.pools
        if not pools.defined(key):
            raise NothingRuns("this content has nothing to start", hint="Publish it again.")
        if pools.members(key):
            return Waiting(state=Progress.ready)
        starting, trouble = pools.condition(key)
        if trouble is not None and not starting:
            return Waiting(state=Progress.failed, phase=trouble.message)
        lines = self.shop.processes.progress(key)
        phase = "Installing its packages" if lines else "Starting"
        return Waiting(state=Progress.starting, phase=phase, lines=tuple(lines) if may_edit else ())

    # Small things

    async def _known(self, session: AsyncSession, who: Principal, guid: str) -> tuple[Item, bool]:
        """Return the item and whether this person may change it. Raises: ItemNotFound, also when they may not know."""
        item = await items.get(session, guid)
        facts = await permissions.facts(session, item, who)
        if not access.may_know(who, facts):
            raise ItemNotFound(guid)
        return item, access.may_edit(who, facts)

    async def _row(self, session: AsyncSession, item: Item) -> ItemRow:
        owner = await session.get_one(User, item.owner_id)
        bundle = await session.get(Bundle, item.live_bundle_id) if item.live_bundle_id else None
        return ItemRow(
            guid=item.guid,
            title=item.title or item.name,
            kind=by_name(item.kind).title if item.kind != "unknown" else "",
            owner=owner.username,
            state=self._state(item),
            url=self.site.url(item.vanity_path or f"/content/{item.guid}/"),
            python=bundle.runtime_version if bundle else None,
            deployed_at=item.deployed_at,
        )

    def _state(self, item: Item) -> State:
        if item.locked:
            return State.locked
        if item.live_bundle_id is None:
            return State.empty
        key = pool_key(item.guid)
        if not self.shop.tools.pools.defined(key):
            return State.ready
        if self.shop.tools.pools.members(key):
            return State.running
        starting, trouble = self.shop.tools.pools.condition(key)
        if trouble is not None and not starting:
            return State.gone if trouble.code == "runtime-gone" else State.failed
        return State.building if starting else State.ready

    def _trouble(self, item: Item) -> str:
        key = pool_key(item.guid)
        if not self.shop.tools.pools.defined(key) or self.shop.tools.pools.members(key):
            return ""
        trouble = self.shop.tools.pools.condition(key)[1]
        return trouble.message if trouble else ""

    def _bundle(self, item: Item, bundle: Bundle) -> BundleRow:
        return BundleRow(
            id=bundle.id,
            created_at=bundle.created_at,
            size=bundle.size,
            state=bundle.state,
            live=bundle.id == item.live_bundle_id,
            python=bundle.runtime_version,
            reason=bundle.match_reason or "",
            preview_url=self.site.url(f"/content/{item.guid}/_bundle{bundle.id}/") if bundle.state == "built" else None,
        )

    def _processes(self, item: Item, jobs: dict[str, Job]) -> tuple[ProcessRow, ...]:
        key = pool_key(item.guid)
        if not self.shop.tools.pools.defined(key):
            return ()
        return tuple(
            ProcessRow(
                key=member.key,
                bundle_id=jobs[member.key].bundle_id,
                started_at=jobs[member.key].started_at or self.clock.now(),
                connections=self.shop.tools.pools.load_of(member.key),
                room=member.room,
            )
            for member in self.shop.tools.pools.members(key)
            if member.key in jobs
        )


def _job(record: Job) -> JobRow:
    what = {"python_restore": "build", "build_jupyter": "render"}.get(record.tag, "process")
    return JobRow(
        key=record.key,
        what=what,
        bundle_id=record.bundle_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        exit_code=record.exit_code,
    )
