"""How documents have been rendered: every variant with its last run, one schedule's history, and a summary of all."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import Query
from typing_extensions import TypedDict

from rostra.api import variants_shapes
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Reading, RunsReader
from rostra.api.job_shapes import status
from rostra.api.paging import LARGEST, Page, Paged
from rostra.api.subjects import Inspected
from rostra.api.v1.usage import moment
from rostra.clock import wire_time
from rostra.content import access, runs
from rostra.content.tables import Item, Job
from rostra.errors import Invalid
from rostra.rendering import variants
from rostra.rendering.tables import ScheduleRow, Variant
from rostra.wire import Guid, Id, Time, one_of, several

router = Router()

DAY = dt.timedelta(days=1)
MILLISECOND = dt.timedelta(milliseconds=1)


class NoSuchOutcome(Invalid):
    code = "no-such-outcome"
    number = 32

    def __init__(self, name: str) -> None:
        super().__init__(f"no run ends as {name[:40]!r}", hint=f"Use some of {', '.join(runs.OUTCOMES)}.")


class Run(TypedDict):
    """``scheduled_time`` is when its schedule wanted it, null when somebody asked. ``status`` is the job's.

    ``skip_reason`` says why it was not started at all; ``exit_code`` is null until it has ended, and so is
    ``duration``, in milliseconds.
    """

    job_key: str
    bundle_id: Id | None
    scheduled_time: Time | None
    queued_time: Time
    start_time: Time | None
    end_time: Time | None
    duration: int | None
    status: Literal[0, 2, 3]
    outcome: Annotated[str, one_of(runs.OUTCOMES)]
    exit_code: int | None
    error: str | None
    skip_reason: str | None


class FoundVariant(TypedDict):
    id: Id
    key: str
    name: str
    is_default: bool
    visibility: variants_shapes.Visibility
    created_time: Time
    content_guid: Guid
    content_name: str
    content_title: str | None
    schedule: variants_shapes.Plan | None
    last_run: Run | None


class RunCounts(TypedDict):
    waiting: int
    running: int
    succeeded: int
    failed: int
    skipped: int


class RunsOfStretch(RunCounts):
    """``time`` is when it begins."""

    time: Time


Span = TypedDict("Span", {"from": Time, "to": Time})


class RunsSummary(Span, RunCounts):
    """``histogram`` has the stretches of ``bucket_seconds`` in which anything was asked for."""

    total: int
    bucket_seconds: int
    histogram: list[RunsOfStretch]


def run(job: Job) -> Run:
    lasted = job.ended_at - job.started_at if job.ended_at and job.started_at else None
    return {
        "job_key": job.key,
        "bundle_id": None if job.bundle_id is None else str(job.bundle_id),
        "scheduled_time": None if job.due_at is None else wire_time(job.due_at),
        "queued_time": wire_time(job.queued_at),
        "start_time": None if job.started_at is None else wire_time(job.started_at),
        "end_time": None if job.ended_at is None else wire_time(job.ended_at),
        "duration": None if lasted is None else lasted // MILLISECOND,
        "status": status(job),
        "outcome": runs.outcome(job),
        "exit_code": job.exit_code,
        "error": job.error,
        "skip_reason": job.skip_reason,
    }


@router.get("/v1/search/variants")
async def search_variants(
    *,
    who: Known,
    session: Reading,
    page: Paged,
    q: str = "",
    content_guid: str = "",
    outcome: Annotated[str, several(runs.OUTCOMES)] = "",
    scheduled: bool | None = None,
) -> Page[FoundVariant]:
    """Variants of content the caller may change, with schedule and last run.

    ``q`` is part of the content's name or title, ``outcome`` how the last run ended (several with ``|``).
    """
    wanted = sa.select(Variant, Item, ScheduleRow).join(Item, Item.id == Variant.item_id)
    wanted = wanted.outerjoin(ScheduleRow, ScheduleRow.variant_id == Variant.id).where(
        access.changeable_by(who), Variant.ad_hoc.is_(False)
    )
    if not who.is_administrator:
        wanted = wanted.where(sa.or_(Variant.visibility != variants.PRIVATE, Variant.owner_id == who.user_id))
    if q:
        wanted = wanted.where(sa.or_(Item.name.icontains(q, autoescape=True), Item.title.icontains(q, autoescape=True)))
    if content_guid:
        wanted = wanted.where(Item.guid.in_(content_guid.split("|")[:LARGEST]))
    if scheduled is not None:
        wanted = wanted.where(ScheduleRow.id.is_not(None) if scheduled else ScheduleRow.id.is_(None))
    if outcome:
        wanted = wanted.where(Variant.id.in_(runs.last_ended(*_outcomes(outcome))))
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    first = (page.number - 1) * page.size
    rows = (await session.execute(wanted.order_by(Variant.id).limit(page.size).offset(first))).all()
    last = await runs.last_of(session, [variant.id for variant, _, _ in rows])
    return page.of([_found(*row, last.get(row[0].id)) for row in rows], total)


def _outcomes(text: str) -> list[str]:
    names = [name for name in text.split("|") if name]
    for name in names:
        if name not in runs.OUTCOMES:
            raise NoSuchOutcome(name)
    return names


def _found(variant: Variant, item: Item, schedule: ScheduleRow | None, last: Job | None) -> FoundVariant:
    return {
        "id": str(variant.id),
        "key": variant.key,
        "name": variant.name,
        "is_default": variant.is_default,
        "visibility": variant.visibility,
        "created_time": wire_time(variant.created_at),
        "content_guid": item.guid,
        "content_name": item.name,
        "content_title": item.title,
        "schedule": None if schedule is None else variants_shapes.plan(schedule, variant),
        "last_run": None if last is None else run(last),
    }


@router.get("/v1/content/{guid}/schedule/history")
async def schedule_history(subject: Inspected, variant_key: str = "", limit: Annotated[int, Query()] = 50) -> list[Run]:
    """The runs of a variant (the default one's without ``variant_key``), newest first, also those that were skipped."""
    found = await variants_shapes.of_content(subject, variant_key or None, to_run=True)
    rows = await runs.of_variant(subject.session, found.variant.id, limit=max(limit, 1))
    return [run(job) for job in rows]


@router.get("/v1/experimental/jobs/summary")
async def jobs_summary(
    who: RunsReader,
    live: Live,
    session: Reading,
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
) -> RunsSummary:
    """How many renderings ended how, in all and over time: of the last day, or of up to a year before ``to``.

    Administrators are told of all content, publishers of what they may change.
    """
    until = moment("to", to, end=True) or live.clock.now()
    found = await runs.summary(session, access.changeable_by(who), moment("from", since) or until - DAY, until)
    return {
        "from": wire_time(found.since),
        "to": wire_time(found.until),
        "total": found.total.total(),
        **_counts(found.total),
        "bucket_seconds": int(found.width.total_seconds()),
        "histogram": [{"time": wire_time(begins), **_counts(bar)} for begins, bar in sorted(found.bars.items())],
    }


def _counts(counts: Counter[str]) -> RunCounts:
    return {
        "waiting": counts["waiting"],
        "running": counts["running"],
        "succeeded": counts["succeeded"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
    }
