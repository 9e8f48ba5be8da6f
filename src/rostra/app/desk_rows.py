"""How items, bundles, processes and jobs are shown on the dashboard, and how what they run fares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content import access
from rostra.content.beside import ProgramGone
from rostra.content.builds import RuntimeGone
from rostra.content.paths import pool_key
from rostra.content.rebuild import RECORDED_BESIDE, Recorded, Verdicts, verdicts
from rostra.content.tables import Bundle, Item, Job, Repository
from rostra.content.tools import Tools
from rostra.errors import Gone, Problem
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.web.site import Site
from rostra.web.views import BundleRow, ItemRow, JobRow, ProcessRow, State


@dataclass(frozen=True, slots=True)
class Rows:
    """Makes the rows of one server's pages."""

    tools: Tools
    site: Site

    async def changeable(self, session: AsyncSession, who: Principal) -> list[ItemRow]:
        """Return every item this person may change, the most recently deployed first."""
        known = await verdicts(self.tools)
        shown = await session.execute(_listed().where(access.changeable_by(who)))
        return [self.item(item, owner, git, Recorded(*recorded), known) for item, owner, git, *recorded in shown]

    async def visible(self, session: AsyncSession, who: Principal) -> list[ItemRow]:
        """Return every item this person may know of, the most recently deployed first."""
        known = await verdicts(self.tools)
        shown = await session.execute(_listed().where(access.visible_to(who)))
        return [self.item(item, owner, git, Recorded(*recorded), known) for item, owner, git, *recorded in shown]

    async def one(self, session: AsyncSession, item: Item) -> ItemRow:
        _, owner, git, *recorded = (await session.execute(_listed().where(Item.id == item.id))).one()
        return self.item(item, owner, git, Recorded(*recorded), await verdicts(self.tools))

    def item(self, item: Item, owner: str, git: bool, recorded: Recorded, known: Verdicts) -> ItemRow:
        return ItemRow(
            guid=item.guid,
            title=item.title or item.name,
            kind=by_name(item.kind).title if item.kind != "unknown" else "",
            owner=owner,
            state=self.state(item, gone=known.gone(recorded) is not None),
            url=self.site.url(item.vanity_path or f"/content/{item.guid}/"),
            python=recorded.runtime_version,
            deployed_at=item.deployed_at,
            from_git=bool(git),
        )

    def state(self, item: Item, *, gone: bool) -> State:
        """Return what a visitor would meet now; ``gone``: nothing can run the live version any more."""
        if item.locked or item.live_bundle_id is None or gone:
            return State.locked if item.locked else State.empty if item.live_bundle_id is None else State.gone
        pools, key = self.tools.pools, pool_key(item.guid)
        if not pools.defined(key):
            return State.ready
        if pools.members(key):
            return State.running
        starting, trouble = pools.condition(key)
        if trouble is not None and not starting:
            return State.failed
        return State.building if starting else State.ready

    async def trouble(self, item: Item, live: Bundle | None) -> Problem | None:
        """Return why nothing of the item runs or can be refreshed; None when all is well or nothing was tried."""
        gone = (await verdicts(self.tools)).gone(Recorded.of(live)) if live else None
        if gone and live:
            return CannotRefresh(gone) if by_name(live.kind).mode is Mode.rendered else gone
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
    what = {"python_restore": "build", "build_jupyter": "render", "build_report": "render"}.get(record.tag, "process")
    return JobRow(
        key=record.key,
        what=what,
        bundle_id=record.bundle_id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        exit_code=record.exit_code,
    )


_TASKS = {
    "deploy": "Deploy",
    "git-deploy": "Deploy from Git",
    "git-bundle": "Fetch from Git",
    "render": "Render",
    "scheduled-render": "Scheduled render",
    "send-report": "Mail",
    "send-test-mail": "Test mail",
    "delete-cache": "Delete a cache",
    "rebuild-environments": "Rebuild environments",
    "reap-environments": "Remove environments",
    "rehearse": "Rehearsal",
    "move": "Move to another Python",
}


def task(kind: str) -> str:
    """Return what people call this kind of work."""
    return _TASKS.get(kind, "Work")


class CannotRefresh(Gone):
    """A document's Python or R is gone: what was made with it is still shown."""

    code = "cannot-refresh"

    def __init__(self, gone: RuntimeGone | ProgramGone) -> None:
        self.version = gone.version
        super().__init__(
            f"this document was made with {gone.language} {gone.version}, which this server no longer offers: its last "
            "rendering stays readable and cannot be refreshed",
            hint=gone.hint,
        )


def _listed() -> Any:
    git = sa.exists().where(Repository.item_id == Item.id)
    found = sa.select(Item, User.username, git, *RECORDED_BESIDE).join(User, User.id == Item.owner_id)
    newest = sa.func.coalesce(Item.deployed_at, Item.created_at)
    return found.outerjoin(Bundle, Bundle.id == Item.live_bundle_id).order_by(newest.desc(), Item.id.desc())
