"""The unversioned routes for variants: their renderings, readers and mail. Numbers are integers here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel

from rostra.api import edge, variants_shapes
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, Writing, changing
from rostra.api.legacy import LegacyTask, task_shape
from rostra.api.sight import Shown
from rostra.api.subjects import load
from rostra.api.variants_shapes import LegacyRendering, LegacyVariant, Reader, VariantSubject
from rostra.auth import users
from rostra.content import audit_log
from rostra.content.tables import Rendering
from rostra.rendering import refresh, variants, variants_people
from rostra.rendering.tables import Subscriber
from rostra.wire import choice, text

router = Router()


class VariantBody(BaseModel):
    """What is left out stays as it is."""

    name: Annotated[str | None, text(1, variants.LONGEST_NAME, null=True)] = None
    visibility: Annotated[str | None, choice((variants.PUBLIC, variants.PRIVATE), null=True)] = None
    parameters: dict[str, Any] | None = None
    email_collaborators: bool | None = None
    email_viewers: bool | None = None
    email_all: bool | None = None
    ad_hoc: bool | None = None

    def given(self) -> dict[str, object]:
        return {name: value for name, value in self.model_dump().items() if value is not None}


class SenderBody(BaseModel):
    """``rendering_id`` None: the one that is shown."""

    email: str = "me"
    rendering_id: int | None = None


class SubscriberBody(BaseModel):
    guid: str | None = None
    user_guid: str | None = None


async def _seen(variant_id: int, who: Known, live: Live, session: Reading) -> VariantSubject:
    return await variants_shapes.load(session, live, who, variant_id)


async def _run(variant_id: int, who: Known, live: Live, session: Writing) -> VariantSubject:
    return await variants_shapes.load(session, live, who, variant_id, to_run=True)


async def _inspected(variant_id: int, who: Known, live: Live, session: Reading) -> VariantSubject:
    return await variants_shapes.load(session, live, who, variant_id, to_run=True)


InspectedVariant = Annotated[VariantSubject, Depends(_inspected)]
SeenVariant = Annotated[VariantSubject, Depends(_seen)]
RunVariant = Annotated[VariantSubject, Depends(_run)]


@router.get("/applications/{guid}/variants")
async def list_variants(guid: str, who: Known, live: Live, session: Writing) -> list[LegacyVariant]:
    """The content's variants that the caller may see, the default one first."""
    subject = await load(session, live, who, guid)
    await variants.default(subject.session, subject.item, subject.live.clock.now())
    rows = await variants.of_item(subject.session, subject.item)
    mine = [row for row in rows if variants.may_see(subject.who, subject.facts, row) or row.is_default]
    return [await variants_shapes.variant(subject.session, row) for row in mine]


@router.get("/variants/{variant_id}")
async def get_variant(subject: SeenVariant) -> LegacyVariant:
    """One variant."""
    return await variants_shapes.variant(subject.session, subject.variant)


@router.post("/variants/{variant_id}")
async def change_variant(
    wanted: Annotated[VariantBody, edge.parsed(VariantBody)], subject: RunVariant
) -> LegacyVariant:
    """Change a variant's name, visibility, parameters and whom its reports are mailed to."""
    await variants.change(subject.session, subject.item, subject.variant, wanted.given())
    return await variants_shapes.variant(subject.session, subject.variant)


@router.post("/variants/{variant_id}/render")
async def render_variant(variant_id: int, who: Known, live: Live) -> LegacyTask:
    """Render the variant again; the answer is the task as older clients follow it."""
    async with changing(live, who, "render_variant", None) as session:
        subject = await variants_shapes.load(session, live, who, variant_id, to_run=True)
        refresh.check(subject.item)
        task = await live.reports.enqueue_render(session, subject.item, subject.variant, who.user_id)
        audit_log.note(session, subject=subject.item.guid, variant=subject.variant.key, task_id=task)
    return await task_shape(live, who, task, 0)


@router.get("/variants/{variant_id}/renderings")
async def list_renderings(subject: SeenVariant) -> list[LegacyRendering]:
    """The variant's kept renderings, newest first; what was never shown only for those who may change the content."""
    return [variants_shapes.rendering(row, subject.variant) for row in await subject.history()]


@router.post("/variants/{variant_id}/sender")
async def send_variant(
    *,
    variant_id: int,
    who: Known,
    live: Live,
    given: Annotated[SenderBody, edge.parsed(SenderBody)],
    email: str | None = None,
    rendering_id: int | None = None,
) -> LegacyTask:
    """Mail a rendering to ``me``, ``collaborators`` or ``collaborators_viewers``; some clients say it in the query."""
    wanted = SenderBody(email=email or given.email, rendering_id=rendering_id or given.rendering_id)
    async with changing(live, who, "send_variant", None) as session:
        subject = await variants_shapes.load(session, live, who, variant_id, to_run=wanted.email != "me")
        variants_people.check_audience(subject.variant, wanted.email)
        rendering = await _rendering(subject, wanted.rendering_id)
        task = await live.reports.enqueue_send(session, subject.variant, rendering, wanted.email, who.user_id)
        facts = {"variant": subject.variant.key, "to": wanted.email, "rendering": rendering.id, "task_id": task}
        audit_log.note(session, subject=subject.item.guid, **facts)
    return await task_shape(live, who, task, 0)


async def _rendering(subject: VariantSubject, rendering_id: int | None) -> Rendering:
    if rendering_id is None:
        found = await variants.latest(subject.session, subject.item.id, subject.variant)
    else:
        found = next((row for row in await subject.history() if row.id == rendering_id), None)
    if found is None:
        raise variants.NoSuchRendering(rendering_id or "shown now")
    return found


@router.get("/variants/{variant_id}/subscribers")
async def list_subscribers(subject: InspectedVariant, sight: Shown) -> list[Reader]:
    """The people who get each mailed report of the variant."""
    people = await variants_people.subscribers(subject.session, Subscriber, subject.variant.id)
    return variants_shapes.people(people, sight)


@router.post("/variants/{variant_id}/subscribers")
async def add_subscriber(
    wanted: Annotated[SubscriberBody | list[SubscriberBody], edge.parsed(SubscriberBody | list[SubscriberBody])],
    sight: Shown,
    subject: RunVariant,
) -> list[Reader]:
    """Add people by guid; the answer lists all."""
    for one in wanted if isinstance(wanted, list) else [wanted]:
        user = sight.check_user(await users.by_guid(subject.session, one.guid or one.user_guid or ""))
        await variants_people.subscribe(subject.session, Subscriber, subject.variant.id, user.id)
    people = await variants_people.subscribers(subject.session, Subscriber, subject.variant.id)
    return variants_shapes.people(people, sight)


@router.delete("/variants/{variant_id}/subscribers/{user_guid}", status_code=204)
async def remove_subscriber(user_guid: str, sight: Shown, subject: RunVariant) -> None:
    """Remove one; somebody who is not there is fine."""
    user = sight.check_user(await users.by_guid(subject.session, user_guid))
    await variants_people.unsubscribe(subject.session, Subscriber, subject.variant.id, user.id)
