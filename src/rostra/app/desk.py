"""What the dashboard's pages ask of the rest of the server: `web.services.WebServices`, for real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from rostra.app import desk_documents, desk_rows, making
from rostra.app.desk_people import People
from rostra.app.desk_rows import Rows
from rostra.app.inner_api import InnerApi
from rostra.app.making import Making
from rostra.app.present import Present
from rostra.app.work import WorkShop
from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.clock import Clock
from rostra.config import explain
from rostra.content import access, bundles, items, job_records, permissions
from rostra.content.errors import ItemNotFound
from rostra.content.paths import split_pool
from rostra.content.tables import Bundle, Item
from rostra.db.engine import transaction
from rostra.errors import NotFound
from rostra.execution import logs
from rostra.ids import PoolKey
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.web.pages import sentence
from rostra.web.site import Site
from rostra.web.views import (
    Access,
    ItemHead,
    ItemPage,
    ItemRow,
    LogsPage,
    Progress,
    RuntimeRow,
    SettingRow,
    ShareRow,
    TaskPage,
    Waiting,
)

SHOWN_LINES = 5000


class NothingRuns(NotFound):
    code = "nothing-runs"


@dataclass(frozen=True, slots=True)
class Desk(People):
    """See `WebServices` for what each method promises."""

    shop: WorkShop
    api: InnerApi
    rows: Rows
    present: Present

    @property
    def site(self) -> Site:
        return self.rows.site

    @property
    def clock(self) -> Clock:
        return self.tools.clock

    async def ask(self, request: Request, method: str, path: str, body: object = None) -> Any:
        return await self.api.ask(request, method, path, body)

    async def head(self, who: Principal, guid: str) -> ItemHead:
        async with transaction(self.tools.reading) as session:
            item, may_change = await self._known(session, who, guid)
            facts = await permissions.facts(session, item, who)
            row = await self.rows.one(session, item)
        mode = None if item.live_bundle_id is None else by_name(item.kind).mode
        return ItemHead(
            row=row,
            may_change=may_change,
            may_transfer=access.may_transfer(who, facts),
            rendered=mode is Mode.rendered,
            interactive=mode in (None, Mode.interactive),
        )

    async def shares(self, who: Principal, guid: str) -> Sequence[ShareRow]:
        async with transaction(self.tools.reading) as session:
            item, may_change = await self._known(session, who, guid)
            access.require(may_change, who)
            found = await permissions.listing(session, item)
        return [
            ShareRow(id=str(one.id), kind=one.kind.value, guid=one.guid, name=one.name, role=one.role.value)
            for one in found
        ]

    async def my_content(self, who: Principal) -> Sequence[ItemRow]:
        async with transaction(self.tools.reading) as session:
            return await self.rows.changeable(session, who)

    async def visible_content(self, who: Principal) -> Sequence[ItemRow]:
        async with transaction(self.tools.reading) as session:
            return await self.rows.visible(session, who)

    async def item(self, who: Principal, guid: str) -> ItemPage:
        async with transaction(self.tools.reading) as session:
            item, may_change = await self._known(session, who, guid)
            row = await self.rows.one(session, item)
            people = await _names(session, [grant.user_guid for grant in await permissions.listing(session, item)])
            found = await bundles.listing(session, item) if may_change else ()
            jobs = await job_records.of_item(session, item) if may_change else ()
            live = await session.get(Bundle, item.live_bundle_id) if item.live_bundle_id else None
            document = await desk_documents.view(session, self.site, item) if may_change else None
        trouble = await self.rows.trouble(item, live)
        return ItemPage(
            row=row,
            access=Access(item.access_type),
            description=item.description,
            people=people,
            bundles=tuple(self.rows.bundle(item, bundle) for bundle in found),
            processes=self.rows.processes(item, jobs),
            may_change=may_change,
            document=document,
            trouble=f"{sentence(trouble.message)} {trouble.hint}".strip() if trouble else "",
        )

    async def logs(self, who: Principal, guid: str, job: str | None, after: int | None) -> LogsPage:
        async with transaction(self.tools.reading) as session:
            item, may_change = await self._known(session, who, guid)
            access.require(may_change, who)
            records = await job_records.of_item(session, item)
        chosen = next((record for record in records if job in (None, record.key)), None)
        if job is not None and chosen is None:
            raise NotFound(f"this content has no job {job[:40]!r}", hint="Choose one from the list.")
        log = chosen.log if chosen else None
        lines = [line.text for line in logs.read(self.tools.places.data_dir / log)] if log else []
        first = max(0, len(lines) - SHOWN_LINES) if after is None else after
        return LogsPage(
            guid=item.guid,
            title=item.title or item.name,
            jobs=tuple(desk_rows.job(record) for record in records),
            chosen=desk_rows.job(chosen) if chosen else None,
            lines=tuple(lines[first:]),
            next=len(lines),
            cut=after is None and first > 0,
            download_url=self.site.url(f"/__api__/v1/content/{guid}/jobs/{chosen.key}/log") if chosen else None,
        )

    async def task(self, who: Principal, task_id: str, after: int) -> TaskPage:
        view = await self.shop.tasks.view(task_id, first=after)
        if view.user_id != who.user_id and not who.is_administrator:
            raise NotFound("there is no such task", hint="Begin it again.")
        guid, may_change = await self._done_for(who, view.subject)
        return TaskPage(
            id=task_id,
            title=desk_rows.task(view.kind),
            guid=guid,
            job=view.job if view.job and may_change and not view.finished else None,
            lines=view.lines,
            next=view.last,
            finished=view.finished,
            error=view.error if view.finished else "",
        )

    async def runtimes(self, who: Principal) -> Sequence[RuntimeRow]:
        access.require(who.may_publish, who)
        async with transaction(self.tools.reading) as session:
            counted = sa.select(Bundle.runtime_path, sa.func.count()).join(Item, Item.live_bundle_id == Bundle.id)
            pairs = await session.execute(counted.where(Item.deleted_at.is_(None)).group_by(Bundle.runtime_path))
            used = {path: count for path, count in pairs if path}
        return [
            RuntimeRow(
                version=str(row.probe.version or ""),
                path=str(row.probe.executable),
                target=_as_linked(row.probe.executable, row.probe.target),
                implementation=row.probe.implementation,
                state=row.state.value,
                why_not="" if row.usable else row.problem,
                items=used.get(str(row.probe.executable), 0),
            )
            for row in reversed(self.present.catalog.rows)
        ]

    async def settings_in_force(self, who: Principal) -> Sequence[SettingRow]:
        access.require(who.is_administrator, who)
        return [
            SettingRow(
                name=str(row["name"]), value=str(row["value"]), source=str(row["source"]), default=bool(row["default"])
            )
            for row in explain.listing(self.present.loaded)
        ]

    async def waiting(self, who: Principal | None, pool: str) -> Waiting:
        key = PoolKey(pool)
        guid, draft = split_pool(key)
        async with transaction(self.tools.reading) as session:
            item = await items.get(session, guid)
            facts = await permissions.facts(session, item, who)
            may_edit = access.may_edit(who, facts)
            access.require(may_edit if draft is not None else access.may_view(who, facts), who)
            now = await making.of_item(session, guid)
        pools = self.tools.pools
        if draft is None and (item.live_bundle_id is None or by_name(item.kind).mode is Mode.rendered):
            return _of_first(item, now, may_edit=may_edit)
        if not pools.defined(key):
            raise NothingRuns("this content has nothing to start", hint="Publish it again.")
        starting, trouble = pools.condition(key)
        if pools.members(key):
            return Waiting(state=Progress.ready)
        if starting:
            standing = self.shop.processes.standing(key)
            lines = tuple(standing.lines) if may_edit else ()
            return Waiting(state=Progress.starting, phase=standing.phase, lines=lines, position=standing.place)
        if trouble is not None:
            return Waiting(state=Progress.failed, phase=trouble.message)
        return Waiting(state=Progress.ready)  # it has gone to sleep again: asking for the page wakes it

    async def _done_for(self, who: Principal, subject: str | None) -> tuple[str | None, bool]:
        """Return the item a task is about, and whether this person may change it. Some are about no item."""
        if subject is None:
            return None, False
        try:
            async with transaction(self.tools.reading) as session:
                item, may_change = await self._known(session, who, subject)
        except ItemNotFound:
            return None, False
        return item.guid, may_change

    async def _known(self, session: AsyncSession, who: Principal, guid: str) -> tuple[Item, bool]:
        """Return the item and whether this person may change it. Raises: ItemNotFound, also when they may not know."""
        item = await items.get(session, guid)
        facts = await permissions.facts(session, item, who)
        if not access.may_know(who, facts):
            raise ItemNotFound(guid)
        return item, access.may_edit(who, facts)


def _of_first(item: Item, now: Making | None, *, may_edit: bool) -> Waiting:
    """Return how far the very first version of something is."""
    if item.live_bundle_id is not None:
        return Waiting(state=Progress.ready)
    if now is not None:
        return Waiting(state=Progress.starting, phase=now.phase, lines=now.lines if may_edit else ())
    return Waiting(state=Progress.failed, phase="It could not be made. Whoever published it knows why.")


async def _names(session: AsyncSession, guids: Sequence[str]) -> tuple[str, ...]:
    rows = await session.execute(sa.select(User.guid, User.username).where(User.guid.in_(guids)))
    names: Mapping[str, str] = dict(rows.all())
    return tuple(names.get(guid, "?") for guid in guids)


def _as_linked(path: Path, target: Path) -> str:
    """Return where a link leads as `ls -l` would say it: the name alone when it stays in the same folder."""
    return target.name if target != path and target.parent == path.parent else str(target)
