"""Variants of a document and their renderings, in the routes of this product's own."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import BaseModel
from typing_extensions import TypedDict

from rostra.api import edge, variants_shapes
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, Writing, changing
from rostra.api.sight import Shown
from rostra.api.subjects import Edited, Inspected, load
from rostra.api.v1 import ad_hoc
from rostra.api.variants import VariantBody
from rostra.api.variants_shapes import Reader, RenderingShape, VariantShape, VariantSubject
from rostra.auth import users
from rostra.content import access, audit_log
from rostra.rendering import refresh, retention, variants, variants_people
from rostra.rendering.tables import FailureSubscriber

router = Router()


class RenderBody(BaseModel):
    """``variant_key`` None: the default variant. ``activate`` false keeps the rendering without showing it.

    With ``parameters`` the variant stays as it is, and the caller gets one of their own for a while.
    """

    variant_key: str | None = None
    activate: bool = True
    parameters: dict[str, Any] | None = None


class RenderBegun(TypedDict):
    """The last two with ``parameters``: the caller's own variant, and where it will be."""

    task_id: str
    variant_key: NotRequired[str]
    path: NotRequired[str]


Render = Annotated[RenderBody, edge.parsed(RenderBody)]
Variant = Annotated[VariantBody, edge.parsed(VariantBody)]


@router.post("/v1/content/{guid}/render", status_code=202)
async def render_content(guid: str, who: Known, live: Live, wanted: Render) -> RenderBegun:
    """Render a document again; what visitors see changes only when it succeeds.

    With ``parameters`` it is rendered with these values for the caller alone, at the answer's ``path``.
    """
    if wanted.parameters is not None:
        task, key, path = await ad_hoc.begin(live, who, guid, base=wanted.variant_key, values=wanted.parameters)
        return {"task_id": task, "variant_key": key, "path": path}
    async with changing(live, who, "render_content", guid) as session:
        subject = await load(session, live, who, guid)
        access.require(access.may_edit(who, subject.facts), who)
        refresh.check(subject.item)
        found = await variants_shapes.of_content(subject, wanted.variant_key, to_run=True)
        task = await live.reports.enqueue_render(
            session, subject.item, found.variant, who.user_id, activate=wanted.activate
        )
        facts = {"variant": found.variant.key, "activate": wanted.activate, "task_id": task}
        audit_log.note(session, subject=subject.guid, **facts)
    return {"task_id": task}


async def _shape(found: VariantSubject) -> VariantShape:
    shape = await variants_shapes.variant(found.session, found.variant)
    return variants_shapes.own_variant(shape, found.variant.parameters, found.variant.ad_hoc)


@router.get("/v1/content/{guid}/variants")
async def list_variants(guid: str, who: Known, live: Live, session: Writing) -> list[VariantShape]:
    """The content's variants that the caller may see, the default one first."""
    subject = await load(session, live, who, guid)
    await variants_shapes.of_content(subject, None)
    seen = []
    for row in await variants.of_item(session, subject.item):
        if variants.may_see(who, subject.facts, row):
            seen.append(await _shape(await variants_shapes.of_content(subject, row.key)))
    return seen


@router.post("/v1/content/{guid}/variants", status_code=201)
async def create_variant(wanted: Variant, subject: Edited) -> VariantShape:
    """Add a variant with ``name`` and ``parameters``; private unless ``visibility`` says public."""
    now = subject.live.clock.now()
    made = await variants.create(subject.session, subject.item, subject.who.user_id, wanted.given(), now)
    return await _shape(await variants_shapes.of_content(subject, made.key))


@router.get("/v1/content/{guid}/variants/{key}")
async def get_variant(guid: str, key: str, who: Known, live: Live, session: Reading) -> VariantShape:
    """One variant."""
    return await _shape(await variants_shapes.of_content(await load(session, live, who, guid), key))


@router.patch("/v1/content/{guid}/variants/{key}")
async def change_variant(key: str, wanted: Variant, subject: Edited) -> VariantShape:
    """Change what is sent. New parameters count from the next rendering on."""
    found = await variants_shapes.of_content(subject, key, to_run=True)
    await variants.change(subject.session, subject.item, found.variant, wanted.given())
    return await _shape(found)


@router.delete("/v1/content/{guid}/variants/{key}", status_code=204)
async def remove_variant(guid: str, key: str, who: Known, live: Live) -> None:
    """Remove a variant with its schedule and its renderings; the default one stays."""
    async with changing(live, who, "remove_variant", guid) as session:
        found = await variants_shapes.of_content(await load(session, live, who, guid), key, to_run=True)
        folders = await variants.delete(session, found.variant)
    await retention.remove(live.places.data_dir, folders)


@router.get("/v1/content/{guid}/renderings")
async def list_renderings(
    guid: str, who: Known, live: Live, session: Writing, variant_key: str = ""
) -> list[RenderingShape]:
    """The kept renderings of a variant (the default one without ``variant_key``), newest first.

    What was never shown is listed only for those who may change the content.
    """
    found = await variants_shapes.of_content(await load(session, live, who, guid), variant_key or None)
    base = f"/content/{guid}/" if found.variant.is_default else f"/content/{guid}/v{found.variant.key}/"
    return [
        variants_shapes.own_rendering(variants_shapes.rendering(row, found.variant), f"{base}_rev{row.id}/")
        for row in await found.history()
    ]


@router.get("/v1/content/{guid}/failure-subscribers")
async def list_failure_subscribers(subject: Inspected, sight: Shown) -> list[Reader]:
    """The people who hear, besides the owner, when a scheduled rendering, or polling the repository, fails."""
    people = await variants_people.subscribers(subject.session, FailureSubscriber, subject.item.id)
    return variants_shapes.people(people, sight)


@router.put("/v1/content/{guid}/failure-subscribers/{user_guid}", status_code=204)
async def add_failure_subscriber(user_guid: str, subject: Edited) -> None:
    """Let somebody hear of failures; they hear only as long as they may see the content."""
    user = await users.by_guid(subject.session, user_guid)
    await variants_people.subscribe(subject.session, FailureSubscriber, subject.item.id, user.id)


@router.delete("/v1/content/{guid}/failure-subscribers/{user_guid}", status_code=204)
async def remove_failure_subscriber(user_guid: str, subject: Edited) -> None:
    """Somebody who is not there is fine."""
    user = await users.by_guid(subject.session, user_guid)
    await variants_people.unsubscribe(subject.session, FailureSubscriber, subject.item.id, user.id)
