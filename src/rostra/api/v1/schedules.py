"""When a document is rendered, in the routes of this product's own; and the letter that tests mail."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from rostra.api import edge, variants_shapes
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Known, Live, Writing, changing
from rostra.api.schedules import moved
from rostra.api.schedules_body import ScheduleBody, wanted
from rostra.api.subjects import Edited, load
from rostra.api.v1.deploys import BegunTask
from rostra.api.variants_shapes import PlanInWords, VariantSubject
from rostra.content import audit_log
from rostra.mail.message import check_address
from rostra.rendering import refresh, schedules
from rostra.rendering.tables import ScheduleRow
from rostra.wire import text

router = Router()

Schedule = Annotated[ScheduleBody, edge.parsed(ScheduleBody)]


class TestMailBody(BaseModel):
    to: Annotated[str, text(most=254)]


def _shape(row: ScheduleRow, found: VariantSubject) -> PlanInWords:
    shape = variants_shapes.plan(row, found.variant)
    return {**shape, "variant_key": found.variant.key, "words": variants_shapes.words(row)}


async def _there(found: VariantSubject) -> ScheduleRow:
    row = await schedules.of_variant(found.session, found.variant.id)
    if row is None:
        raise schedules.NoSuchSchedule
    return row


@router.get("/v1/content/{guid}/schedule")
async def get_schedule(guid: str, who: Known, live: Live, session: Writing, variant_key: str = "") -> PlanInWords:
    """The schedule of a variant (the default one's without ``variant_key``), also in words."""
    found = await variants_shapes.of_content(await load(session, live, who, guid), variant_key or None)
    return _shape(await _there(found), found)


@router.put("/v1/content/{guid}/schedule")
async def put_schedule(body: Schedule, subject: Edited, variant_key: str = "") -> PlanInWords:
    """Set or change the schedule; what is left out stays. ``paused`` true stops it until it is false again."""
    found = await variants_shapes.of_content(subject, variant_key or None, to_run=True)
    refresh.check(subject.item)
    now = subject.live.clock.now()
    row = await schedules.of_variant(subject.session, found.variant.id)
    if row is None:
        new = wanted(body, None, now)
        row = await schedules.create(subject.session, found.variant, new, user_id=subject.who.user_id, now=now)
    else:
        await schedules.change(subject.session, row, wanted(body, row, now), now)
    moved(found)
    return _shape(row, found)


@router.delete("/v1/content/{guid}/schedule", status_code=204)
async def remove_schedule(subject: Edited, variant_key: str = "") -> None:
    """Remove the schedule. A run that has begun goes on."""
    found = await variants_shapes.of_content(subject, variant_key or None, to_run=True)
    await schedules.remove(subject.session, await _there(found))


@router.post("/v1/tasks/send-test-email", status_code=202)
async def send_test_mail(
    who: Administrator, live: Live, body: Annotated[TestMailBody, edge.parsed(TestMailBody)]
) -> BegunTask:
    """Send one letter now; the task says what the mail server answered."""
    to = check_address(body.to)
    async with changing(live, who, "send_test_mail", None) as session:
        task = await live.reports.enqueue_test_mail(session, to, who.user_id)
        audit_log.note(session, to=to, task_id=task)
    return {"task_id": task}
