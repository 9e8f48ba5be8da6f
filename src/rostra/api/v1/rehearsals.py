"""Rehearsals: what would happen to every item if interpreters were retired. Administrators only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Made, Router
from rostra.api.edge import Administrator, Live, Reading, Writing
from rostra.content import audit_log
from rostra.errors import Conflict, Invalid
from rostra.rehearsal import notify, records, report, tasks
from rostra.rehearsal.model import Step, up_to
from rostra.rehearsal.notify import RehearsalUnfinished
from rostra.rehearsal.records import Wanted
from rostra.rehearsal.target import AUTO, Wish, require_target, wish
from rostra.wire import Guid, choice

router = Router()


class UnknownStep(Invalid):
    code = "unknown-step"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no step {name[:40]!r}", hint=f"Write one of {', '.join(Step)}.")


class RehearsalEnded(Conflict):
    """It is over, so there is nothing to stop."""

    code = "rehearsal-ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"the rehearsal is {state} already", hint="Nothing needs to be done.")


class RehearsalBody(BaseModel):
    """``retire``: versions or ranges. ``depth``: the deepest step; ``leave_out``: steps that are not carried out."""

    retire: str | list[str] = Field(default_factory=list)
    onto: str = AUTO
    depth: Annotated[str, choice(Step)] = Step.static.value
    leave_out: list[Annotated[str, choice(Step)]] = Field(default_factory=list)
    keep: bool = False
    fresh: bool = False


def wanted_of(body: RehearsalBody) -> Wanted:
    """Raises: NotARange, NothingRetired, UnknownStep."""
    for name in (body.depth, *body.leave_out):
        if name not in list(Step):
            raise UnknownStep(name)
    retire = [body.retire] if isinstance(body.retire, str) else body.retire
    steps = tuple(step for step in up_to(Step(body.depth)) if step not in body.leave_out)
    return Wanted(wish=wish(retire, body.onto), steps=steps, keep=body.keep, fresh=body.fresh)


class AffectedItem(TypedDict):
    guid: Guid
    title: str
    bundle_id: int


class AffectedContent(TypedDict):
    guids: list[Guid]
    items: list[AffectedItem]


class MovingTasks(TypedDict):
    tasks: list[tasks.MovingTask]


async def _shown(session: AsyncSession, rehearsal_id: str) -> report.RehearsalShape:
    found = await records.get(session, rehearsal_id)
    return report.head(found, await records.counts(session, found.id))


@router.post("/v1/rehearsals", status_code=202)
async def begin_rehearsal(
    who: Administrator, wanted: Annotated[RehearsalBody, edge.parsed(RehearsalBody)], live: Live, session: Writing
) -> report.RehearsalShape:
    """Begin one; the answer names its task, which shows the progress."""
    asked = wanted_of(wanted)
    require_target(asked.wish, live.runtimes())
    made = await tasks.enqueue(session, live.tasks, asked, who.user_id)
    return await _shown(session, made.id)


@router.get("/v1/rehearsals")
async def list_rehearsals(who: Administrator, session: Reading) -> list[report.RehearsalShape]:  # noqa: ARG001
    """Those that are remembered, newest first."""
    return [report.head(each, await records.counts(session, each.id)) for each in await records.listing(session)]


@router.get("/v1/rehearsals/affected")
async def list_affected(who: Administrator, session: Reading, retire: str) -> AffectedContent:  # noqa: ARG001
    """What runs now on a version or range, without rehearsing anything."""
    found = await records.present(session, wish([retire], AUTO))
    return {"guids": [each.guid for each in found], "items": [_affected(each) for each in found]}


def _affected(one: records.Present) -> AffectedItem:
    return {"guid": one.guid, "title": one.title, "bundle_id": one.bundle_id}


@router.get("/v1/rehearsals/{rehearsal_id}")
async def get_rehearsal(
    rehearsal_id: str,
    who: Administrator,  # noqa: ARG001
    session: Reading,
) -> report.RehearsalShape:
    """One, with how many items have which outcome so far."""
    return await _shown(session, rehearsal_id)


@router.delete("/v1/rehearsals/{rehearsal_id}")
async def cancel_rehearsal(
    rehearsal_id: str,
    who: Administrator,  # noqa: ARG001
    live: Live,
    session: Writing,
) -> report.RehearsalShape:
    """Stop it; what was found out stays readable, what was built aside is removed."""
    found = await records.get(session, rehearsal_id)
    if not await records.enter(session, found.id, "cancelled", live.clock.now()):
        raise RehearsalEnded(found.state)
    await session.refresh(found)
    return await _shown(session, rehearsal_id)


@router.post("/v1/rehearsals/{rehearsal_id}/resume", status_code=202)
async def resume_rehearsal(
    rehearsal_id: str, who: Administrator, live: Live, session: Writing
) -> report.RehearsalShape:
    """Go on with one that was stopped or failed; what was judged before stays."""
    found = await tasks.resume(session, live.tasks, rehearsal_id, who.user_id)
    return await _shown(session, found.id)


@router.get("/v1/rehearsals/{rehearsal_id}/report")
async def get_report(
    rehearsal_id: str,
    who: Administrator,  # noqa: ARG001
    live: Live,
    session: Reading,
    format: Literal["json", "csv", "html"] = "json",  # noqa: A002
) -> Annotated[Response, Made(json=report.RehearsalReport, media=("text/csv", "text/html"))]:
    """Every item's result, as JSON, CSV or one HTML page."""
    told = await _shown(session, rehearsal_id)
    items = await records.results(session, rehearsal_id)
    if format == "csv":
        name = f"attachment; filename=rehearsal-{rehearsal_id}.csv"
        return Response(
            report.as_csv(items), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
        )
    if format == "html":
        page = report.as_html(told, items, server=live.settings().server.system_display_name)
        return Response(
            page,
            media_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": report.content_security_policy()},
        )
    still = await records.affected(session, Wish(tuple(told["retire"])))
    return JSONResponse({**told, "items": report.ordered(items), "still": still})


@router.post("/v1/rehearsals/{rehearsal_id}/rebuild", status_code=202)
async def rebuild_safe(rehearsal_id: str, who: Administrator, live: Live, session: Writing) -> MovingTasks:
    """Move every item that was found safe, each by a deploy of its own that is proven before it is live."""
    found = await records.get(session, rehearsal_id)
    if found.state != "done":
        raise RehearsalUnfinished(found.state)
    items = await records.results(session, rehearsal_id)
    moves = await tasks.enqueue_moves(session, live.tasks, items, who.user_id)
    audit_log.note(session, moved=[one["guid"] for one in moves])
    return {"tasks": moves}


@router.post("/v1/rehearsals/{rehearsal_id}/notify")
async def notify_owners(
    rehearsal_id: str,
    who: Administrator,  # noqa: ARG001
    live: Live,
    session: Writing,
) -> notify.NotifiedOwnersJson:
    """Mail each owner who has something to do their own part, once for each rehearsal."""
    return (await notify.notify(session, rehearsal_id, live.settings(), live.clock.now())).to_json()
