"""What control answers on content paths: files of static content and documents, and every page that explains.

Visits that a process can answer never come here: the gateway carries them.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rostra.app import content_files, making, notices
from rostra.app.content_files import Found, NoPrimary, SlashMissing
from rostra.app.making import Making
from rostra.app.requests import credential, navigates, raw_path
from rostra.app.uses import Uses
from rostra.app.visits import Visits
from rostra.auth.credentials import Scheme, who
from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content import access, permissions, thumbnails
from rostra.content.beside import ProgramGone
from rostra.content.builds import RuntimeGone
from rostra.content.paths import Place, place, pool_key
from rostra.content.processes import Processes
from rostra.content.tables import Bundle, Item, Job, Rendering
from rostra.content.tools import Tools
from rostra.content.usage import Record, Seen
from rostra.db.engine import transaction
from rostra.errors import NotSignedIn, Problem
from rostra.execution.pool import StartFailed
from rostra.kinds.kind import Mode
from rostra.kinds.registry import ALL, by_name
from rostra.rendering import serving, variants
from rostra.rendering.tables import Variant
from rostra.web import pages
from rostra.web.site import Site

THUMBNAIL = "__thumbnail__"
NOTICE = "Rostra-Notice"  # says in words what somebody should know of a page that is shown all the same
_DOCUMENTS = frozenset(kind.job_tag for kind in ALL.values() if kind.mode is Mode.rendered)
FULL_SECONDS = 3  # after which a visitor who found no room is told to try again


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit that control answers. ``may_edit`` decides whether log lines are shown."""

    where: Place
    item: Item
    bundle: Bundle | None
    rendering: Rendering | None
    rest: str  # the decoded path behind the item's own, or its variant's
    slash_missing: bool  # behind the variant's key
    making: Making | None
    failed: Job | None
    refreshing: bool  # a newer rendering of what is shown is on its way
    principal: Principal | None
    owner: str
    may_open: bool
    may_edit: bool

    @property
    def title(self) -> str:
        return self.item.title or self.item.name


class ContentPages:
    """The handler of every path that is not the server's own."""

    def __init__(  # noqa: PLR0917 - the composition root names them all
        self, tools: Tools, processes: Processes, visits: Visits, site: Site, uses: Uses, usage: Record
    ) -> None:
        self._tools, self._processes, self._visits, self._uses = tools, processes, visits, uses
        self._usage, self._site = usage, site

    async def answer(self, request: Request) -> Response:
        """Answer one visit."""
        where = place(raw_path(request), self._visits.vanities)
        try:
            visit = None if where is None else await self._look_up(request, where)
        except NotSignedIn as bad:
            return pages.of_problem(self._site, request, bad)
        if visit is None:
            return pages.not_found(self._site, request)
        return await (self._show(request, visit) if visit.may_open else self._refuse(request, visit))

    async def _show(self, request: Request, visit: Visit) -> Response:
        title, owner = visit.title, visit.owner
        if raw_path(request) == visit.where.prefix + THUMBNAIL:
            return await self._thumbnail(visit)
        if visit.item.locked:
            return pages.locked(self._site, request, title=title, message=visit.item.locked_message, owner=owner)
        if not visit.where.complete:
            return self._with_slash(request, visit.where.prefix)
        if visit.bundle is None:
            return self._unmade(request, visit)
        if by_name(visit.bundle.kind).mode is Mode.interactive:
            return await self._explain(request, visit, visit.bundle)
        return await self._file(request, visit, visit.bundle)

    async def _thumbnail(self, visit: Visit) -> Response:
        """Return the item's picture, which obeys its access; 204 when it has none, or nothing to show yet."""
        async with transaction(self._tools.reading) as session:
            found = await thumbnails.get(session, visit.item)
        headers = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
        if found is None or visit.bundle is None:
            return Response(status_code=204, headers=headers)
        return Response(found.image, media_type=found.media_type, headers=headers)

    async def _look_up(self, request: Request, where: Place) -> Visit | None:
        """Raises: BadCredential."""
        tools = self._tools
        async with transaction(tools.reading) as session:
            principal = await who(session, credential(request), tools.settings().authentication, tools.clock.now())
            self._uses.note(principal)
            item = await self._visits.item(session, where)
            if item is None:
                return None
            facts = await permissions.facts(session, item, principal)
            may_edit = access.may_edit(principal, facts)
            owner = await session.get_one(User, item.owner_id)
            bundle = await _bundle(session, item, where)
            rest = unquote(raw_path(request)[len(where.prefix) :])
            slash_missing, variant = False, await _variant(session, item, where, rest)
            if variant is not None:
                if not variants.may_see(principal, facts, variant):
                    return None
                slash_missing, rest = "/" not in rest, rest[len(variant.key) + 1 :][1:]
            rendering = await _rendering(session, bundle, where, variant, rest)
            now = None if rendering else await making.of_item(session, item.guid)
            any_revision = serving.wanted(rest).revision is None
            newest = rendering is not None and rendering.active and any_revision
            unmade = any_revision and rendering is None and now is None
            told = newest and where.bundle_id is None and notices.for_a_person(request)
            draft = where.bundle_id is not None or (rendering is not None and not rendering.shown)
            return Visit(
                where=where,
                item=item,
                bundle=bundle,
                rendering=rendering,
                rest=rest,
                slash_missing=slash_missing,
                making=now,
                failed=await _failed(session, item, variant) if unmade else None,
                refreshing=told and await making.refreshes(session, item.guid, variant),
                principal=principal,
                owner=_contact(owner, principal, self._tools.settings().server.hide_email_addresses),
                may_open=may_edit if draft else access.may_view(principal, facts),
                may_edit=may_edit,
            )

    async def _refuse(self, request: Request, visit: Visit) -> Response:
        if visit.principal is None:
            return pages.sign_in_needed(self._site, request)
        known = visit.title if visit.may_edit else ""
        return pages.forbidden(
            self._site, request, title=known, owner=visit.owner, signed_in_as=visit.principal.username
        )

    def _unmade(self, request: Request, visit: Visit) -> Response:
        """There is nothing to show yet: it is being made, or it was never published."""
        if visit.failed is not None and visit.where.bundle_id is None:
            return self._failed_to_render(request, visit, visit.failed)
        if visit.making is None or visit.where.bundle_id is not None:
            return pages.not_published(self._site, request, title=visit.title, owner=visit.owner)
        return pages.waiting(
            self._site,
            request,
            title=visit.title,
            phase=visit.making.phase,
            lines=visit.making.lines if visit.may_edit else (),
            status_url=self._site.url(f"/__status__/{pool_key(visit.item.guid)}"),
        )

    def _failed_to_render(self, request: Request, visit: Visit, failed: Job) -> Response:
        return pages.failed_to_render(
            self._site,
            request,
            title=visit.title,
            owner=visit.owner,
            reason=failed.error or "",
            logs_url=self._site.page(f"apps/{visit.item.guid}/logs?job={failed.key}") if visit.may_edit else None,
        )

    async def _explain(self, request: Request, visit: Visit, bundle: Bundle) -> Response:
        """Say why no process answers: it is on its way, it failed, its Python is gone, or all are full."""
        if gone := await self._processes.lost(bundle):
            return self._trouble(request, visit, gone)
        key = pool_key(visit.item.guid, visit.where.bundle_id)
        if not await self._processes.define(key):
            return pages.not_published(self._site, request, title=visit.title, owner=visit.owner)
        starting, trouble = self._tools.pools.condition(key)
        if self._tools.pools.members(key):
            return pages.at_capacity(self._site, request, title=visit.title, seconds=FULL_SECONDS)
        if trouble is not None and not starting:
            return self._trouble(request, visit, trouble)
        standing = self._processes.standing(key)
        return pages.waiting(
            self._site,
            request,
            title=visit.title,
            phase=standing.phase,
            lines=tuple(standing.lines) if visit.may_edit and starting else (),
            position=standing.place,
            status_url=self._site.url(f"/__status__/{key}"),
        )

    def _trouble(self, request: Request, visit: Visit, trouble: Problem) -> Response:
        if isinstance(trouble, RuntimeGone | ProgramGone):
            return pages.runtime_gone(
                self._site,
                request,
                title=visit.title,
                owner=visit.owner,
                language=trouble.language,
                version=trouble.version,
                available=[str(version) for version in trouble.installed],
            )
        lines = [line.text for line in trouble.lines] if isinstance(trouble, StartFailed) else []
        return pages.failed_to_start(
            self._site,
            request,
            title=visit.title,
            owner=visit.owner,
            reason=trouble.message,
            lines=lines if visit.may_edit else None,
            logs_url=self._site.page(f"apps/{visit.item.guid}/logs") if visit.may_edit else None,
        )

    async def _file(self, request: Request, visit: Visit, bundle: Bundle) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response(status_code=405, headers={"Allow": "GET, HEAD"})
        if visit.slash_missing:
            return self._with_slash(request, raw_path(request) + "/")
        found = content_files.find(self._tools.places, visit.item.guid, bundle, visit.rendering, visit.rest)
        if isinstance(found, NoPrimary):
            return self._unmade(request, visit)
        if isinstance(found, SlashMissing):
            return self._with_slash(request, raw_path(request) + "/")
        if found is None:
            return pages.not_found(self._site, request)
        self._remember(request, visit, bundle, found)
        answer = await self._noticed(visit, found) if visit.refreshing else None
        if answer is None:
            answer = content_files.send(request, found, public=visit.item.access_type == "all")
        if gone := await self._processes.lost(bundle):
            answer.headers[NOTICE] = content_files.notice(gone.language, gone.version)
        return answer

    async def _noticed(self, visit: Visit, found: Found) -> Response | None:
        if serving.wanted(visit.rest).rest or not found.content_type.startswith("text/html"):
            return None
        return await notices.beside(found.path, found.content_type, notices.REFRESHING)

    def _remember(self, request: Request, visit: Visit, bundle: Bundle, found: Found) -> None:
        """Count a page that was opened, by a person or with a key; what a page loads besides is not a visit."""
        opens = navigates(request) or credential(request).scheme is Scheme.key
        if request.method == "GET" and opens and found.content_type.startswith("text/html"):
            seen = Seen(
                item=visit.item.guid,
                user=visit.principal.guid if visit.principal else None,
                path=raw_path(request),
                at=self._tools.clock.now(),
                agent=request.headers.get("user-agent", ""),
                bundle_id=bundle.id,
                rendering_id=visit.rendering.id if visit.rendering else None,
            )
            self._usage(seen)

    def _with_slash(self, request: Request, path: str) -> Response:
        query = request.url.query
        return RedirectResponse(self._site.url(path) + (f"?{query}" if query else ""), 307)


def _contact(owner: User, who: Principal | None, hidden: bool) -> str:
    """Return whom to ask: an address only for somebody who is signed in, as it is nothing for the whole world.

    ``hidden``: and only for administrators among them.
    """
    if who is not None and owner.email and (who.is_administrator or not hidden):
        return owner.email
    return f"{owner.first_name} {owner.last_name}".strip() or owner.username


async def _bundle(session: AsyncSession, item: Item, where: Place) -> Bundle | None:
    wanted = where.bundle_id if where.bundle_id is not None else item.live_bundle_id
    bundle = None if wanted is None else await session.get(Bundle, wanted)
    return bundle if bundle is not None and bundle.item_id == item.id else None


async def _variant(session: AsyncSession, item: Item, where: Place, rest: str) -> Variant | None:
    """Return the variant that is asked for by its key; drafts have none."""
    key = serving.variant_key(rest)
    if key is None or where.bundle_id is not None or by_name(item.kind).mode is not Mode.rendered:
        return None
    return await variants.find_key(session, item, key)


async def _failed(session: AsyncSession, item: Item, variant: Variant | None) -> Job | None:
    """Return the run in which a document that has nothing to show yet could not be made."""
    wanted = sa.select(Job).where(Job.item_id == item.id, Job.tag.in_(_DOCUMENTS), Job.skip_reason.is_(None))
    if variant is not None and not variant.is_default:
        wanted = wanted.where(Job.variant_id == variant.id)
    job = (await session.execute(wanted.order_by(Job.id.desc()).limit(1))).scalar_one_or_none()
    return job if job is not None and job.ended_at is not None and job.exit_code else None


async def _rendering(
    session: AsyncSession, bundle: Bundle | None, where: Place, variant: Variant | None, rest: str
) -> Rendering | None:
    if bundle is None:
        return None
    # Another variant's renderings may be private: they are found under its own address only.
    wanted = sa.select(Rendering).where(Rendering.item_id == bundle.item_id, variants.renderings_of(variant))
    revision = serving.wanted(rest).revision
    if revision is not None:
        wanted = wanted.where(Rendering.id == revision)
    elif where.bundle_id is not None:
        wanted = wanted.where(Rendering.bundle_id == bundle.id)
    else:
        wanted = wanted.where(Rendering.active.is_(True))
    return (await session.execute(wanted.order_by(Rendering.id.desc()).limit(1))).scalar_one_or_none()
