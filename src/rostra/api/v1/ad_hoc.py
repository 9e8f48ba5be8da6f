"""Documents with values of somebody's own: which they take, and what came of those a person asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from typing_extensions import TypedDict

from rostra.api import variants_shapes
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, changing
from rostra.api.services import Services
from rostra.api.subjects import Subject, load
from rostra.api.v1.runs import Run, run
from rostra.api.variants_shapes import VariantShape
from rostra.auth.principals import Principal
from rostra.content import access, beside, manifest, runs
from rostra.content.tables import Bundle
from rostra.db.engine import transaction
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.rendering import ad_hoc, parameters_declared, refresh, retention
from rostra.rendering.parameters_declared import INPUTS, Parameter
from rostra.rendering.processes import to_the_end
from rostra.wire import one_of

router = Router()


class ChoiceShape(TypedDict):
    label: str
    value: Any


class ParameterShape(TypedDict):
    """``value`` is the default, null with an ``expression`` that only the document's own program can work out."""

    name: str
    label: str
    input: Annotated[str, one_of(INPUTS)]
    value: Any
    expression: str
    choices: list[ChoiceShape]
    multiple: bool
    minimum: float | None
    maximum: float | None
    step: float | None


class Look(TypedDict):
    """``path`` is where its owner finds what was rendered, ``last_run`` how that went."""

    variant: VariantShape
    path: str
    last_run: Run | None


async def begin(
    live: Services, who: Principal, guid: str, *, base: str | None, values: Mapping[str, Any]
) -> tuple[str, str, str]:
    """Let a document be rendered for this person; return the task, the variant's key and its path.

    Raises:
        Forbidden, NotADocument, ContentLocked, NoSuchVariant, BadVariant, TooManyAtOnce
    """
    declared = await _declared(live, who, guid)
    async with changing(live, who, "render_content", guid) as session:
        subject = await load(session, live, who, guid)
        viewers = live.settings().applications.viewer_on_demand_reports
        access.require(ad_hoc.may_ask(who, subject.facts, viewers=viewers), who)
        refresh.check(subject.item)
        found = await variants_shapes.of_content(subject, base)
        ad_hoc.check_names(declared, values)
        now = live.clock.now()
        made, folders = await ad_hoc.create(
            session, subject.item, found.variant, who, given=values, declared=declared, now=now
        )
        quiet = not access.may_edit(who, subject.facts)
        task = await live.reports.enqueue_render(session, subject.item, made, who.user_id, quiet=quiet)
        key, path = made.key, _path(subject, made.key)
    await retention.remove(live.places.data_dir, folders)
    return task, key, path


@router.get("/v1/content/{guid}/parameters")
async def list_parameters(guid: str, who: Known, live: Live) -> list[ParameterShape]:
    """What the document says it can be given: an R Markdown header's ``params``, or a notebook's tagged cell."""
    return [_shape(one) for one in await _declared(live, who, guid)]


@router.get("/v1/content/{guid}/ad-hoc-variants")
async def list_ad_hoc(guid: str, who: Known, live: Live, session: Reading) -> list[Look]:
    """What the caller had rendered with values of their own, the newest first, as long as it is kept."""
    subject = await load(session, live, who, guid)
    mine = await ad_hoc.of_person(session, subject.item, who.user_id)
    last = await runs.last_of(session, [one.id for one in mine])
    found: list[Look] = []
    for row in mine:
        shape = variants_shapes.own_variant(await variants_shapes.variant(session, row), row.parameters, row.ad_hoc)
        job = last.get(row.id)
        found.append({"variant": shape, "path": _path(subject, row.key), "last_run": run(job) if job else None})
    return found


async def _declared(live: Services, who: Principal, reference: str) -> Sequence[Parameter]:
    async with transaction(live.reading) as session:
        subject = await load(session, live, who, reference)
        bundle = await session.get(Bundle, subject.item.live_bundle_id or 0)
    if bundle is None or by_name(subject.item.kind).mode is not Mode.rendered:
        return ()
    return await to_the_end(_of_bundle, live.places.app(subject.guid, bundle.id), bundle)


def _of_bundle(folder: Path, bundle: Bundle) -> Sequence[Parameter]:
    if not folder.is_dir():
        return ()
    told = manifest.read(json.dumps(bundle.manifest).encode())
    name = by_name(bundle.kind).document(folder, told.entrypoint or beside.wish(told).document)
    return parameters_declared.of_file(folder / name) if name else ()


def _path(subject: Subject, key: str) -> str:
    return f"/content/{subject.guid}/v{key}/"


def _shape(one: Parameter) -> ParameterShape:
    return {
        "name": one.name,
        "label": one.label,
        "input": one.input,
        "value": one.value,
        "expression": one.expression,
        "choices": [{"label": choice.label, "value": choice.value} for choice in one.choices],
        "multiple": one.multiple,
        "minimum": one.minimum,
        "maximum": one.maximum,
        "step": one.step,
    }
