"""How items, bundles, processes and jobs are shown on the dashboard, and how what they run fares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content import access
from rostra.content.paths import pool_key
from rostra.content.tables import Bundle, Item, Job, Permission
from rostra.content.tools import Tools
from rostra.errors import Problem
from rostra.kinds.registry import by_name
from rostra.web.site import Site
from rostra.web.views import BundleRow, ItemRow, JobRow, ProcessRow, State


@dataclass(frozen=True, slots=True)
class Rows:
    """Makes the rows of one server's pages."""

    tools: Tools
    site: Site

    async def changeable(self, session: AsyncSession, who: Principal) -> list[ItemRow]:
        """Return every item this person may change, the most recently deployed first, in two queries."""
        granted = sa.select(Permission.item_id, Permission.role).where(Permission.user_id == who.user_id)
        roles: Mapping[int, str] = dict((await session.execute(granted)).tuples().all())
        shown = await session.execute(_listed().where(access.visible_to(who)))
        return [
            self.item(item, owner, python)
            for item, owner, python in shown
            if access.may_edit(who, _facts(item, roles.get(item.id)))
        ]

    async def one(self, session: AsyncSession, item: Item) -> ItemRow:
        _, owner, python = (await session.execute(_listed().where(Item.id == item.id))).one()
        return self.item(item, owner, python)

    def item(self, item: Item, owner: str, python: str | None) -> ItemRow:
        return ItemRow(
            guid=item.guid,
            title=item.title or item.name,
            kind=by_name(item.kind).title if item.kind != "unknown" else "",
            owner=owner,
            state=self.state(item),
            url=self.site.url(item.vanity_path or f"/content/{item.guid}/"),
            python=python,
            deployed_at=item.deployed_at,
        )

    def state(self, item: Item) -> State:
        """Return what a visitor would meet now."""
        if item.locked:
            return State.locked
        if item.live_bundle_id is None:
            return State.empty
        pools, key = self.tools.pools, pool_key(item.guid)
        if not pools.defined(key):
            return State.ready
        if pools.members(key):
            return State.running
        starting, trouble = pools.condition(key)
        if trouble is not None and not starting:
            return State.gone if trouble.code == "runtime-gone" else State.failed
        return State.building if starting else State.ready

    def trouble(self, item: Item) -> Problem | None:
        """Return why nothing of the item runs, None when something does or nothing was tried."""
        pools, key = self.tools.pools, pool_key(item.guid)
        return None if not pools.defined(key) or pools.members(key) else pools.condition(key)[1]

    def bundle(self, item: Item, bundle: Bundle) -> BundleRow:
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

    def processes(self, item: Item, records: Sequence[Job]) -> tuple[ProcessRow, ...]:
        """Return the live version's processes; ``records`` are the item's jobs."""
        pools, key = self.tools.pools, pool_key(item.guid)
        if not pools.defined(key):
            return ()
        jobs = {record.key: record for record in records}
        return tuple(
            ProcessRow(
                key=member.key,
                bundle_id=jobs[member.key].bundle_id,
                started_at=jobs[member.key].started_at or jobs[member.key].queued_at,
                connections=pools.load_of(member.key),
                room=member.room,
            )
            for member in pools.members(key)
            if member.key in jobs
        )


def job(record: Job) -> JobRow:
    what = {"python_restore": "build", "build_jupyter": "render"}.get(record.tag, "process")
    return JobRow(
        key=record.key,
        what=what,
        bundle_id=record.bundle_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        exit_code=record.exit_code,
    )


def _listed() -> sa.Select[Item, str, str | None]:
    found = sa.select(Item, User.username, Bundle.runtime_version).join(User, User.id == Item.owner_id)
    newest = sa.func.coalesce(Item.deployed_at, Item.created_at)
    return found.outerjoin(Bundle, Bundle.id == Item.live_bundle_id).order_by(newest.desc(), Item.id.desc())


def _facts(item: Item, grant: str | None) -> access.Facts:
    return access.Facts(access.Access(item.access_type), item.owner_id, access.Grant(grant) if grant else None)
