"""What the dashboard shows of a document: when it is rendered, and how its last runs went."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.app import making
from rostra.content.tables import Item, Job
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.rendering import schedules, variants
from rostra.rendering.calendar_words import described
from rostra.rendering.tables import Variant
from rostra.web.site import Site
from rostra.web.views import DocumentView, RunRow

_SHOWN = 15


async def view(session: AsyncSession, site: Site, item: Item) -> DocumentView | None:
    """Return it for a document that was rendered; None for everything else."""
    if item.live_bundle_id is None or by_name(item.kind).mode is not Mode.rendered:
        return None
    variant = await variants.find_default(session, item)
    row = None if variant is None else await schedules.of_variant(session, variant.id)
    now = await making.of_item(session, item.guid)
    return DocumentView(
        schedule=described(schedules.calendar_of(row)) if row else "",
        paused=row.paused if row else False,
        next_run=row.next_run if row else None,
        mailed=row.email if row else False,
        being_made=now is not None,
        job=now.job if now else None,
        runs=await _runs(session, site, item, variant),
    )


async def _runs(session: AsyncSession, site: Site, item: Item, variant: Variant | None) -> tuple[RunRow, ...]:
    base = f"/content/{item.guid}/"
    made = [
        RunRow(
            at=rendering.rendered_at,
            outcome="shown" if rendering.active else "kept",
            seconds=rendering.duration_ms / 1000,
            url=site.url(f"{base}_rev{rendering.id}/"),
            job=rendering.job_key,
        )
        for rendering in await variants.history_of_default(session, item.id, _SHOWN)
    ]
    found = sorted([*made, *await _failed(session, variant)], key=lambda run: run.at, reverse=True)
    return tuple(found[:_SHOWN])


async def _failed(session: AsyncSession, variant: Variant | None) -> list[RunRow]:
    """Return a variant's runs that came to nothing: those that failed, and those that were skipped."""
    if variant is None:
        return []
    bad = sa.or_(Job.skip_reason.is_not(None), Job.exit_code != 0)
    wanted = sa.select(Job).where(Job.variant_id == variant.id, bad)
    jobs = (await session.execute(wanted.order_by(Job.id.desc()).limit(_SHOWN))).scalars()
    return [
        RunRow(
            at=job.started_at or job.queued_at,
            outcome="skipped" if job.skip_reason else "failed",
            seconds=_seconds(job.started_at, job.ended_at),
            note=job.skip_reason or job.error or "",
            job=None if job.skip_reason else job.key,
        )
        for job in jobs
    ]


def _seconds(begun: dt.datetime | None, ended: dt.datetime | None) -> float | None:
    return (ended - begun).total_seconds() if begun and ended else None
