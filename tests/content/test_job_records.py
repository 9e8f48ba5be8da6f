import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import NOW, add_item, add_user

from rostra.content import job_records
from rostra.content.tables import Item, Job

pytestmark = pytest.mark.anyio
LATER = NOW + dt.timedelta(minutes=1)


async def item_of(session: AsyncSession) -> Item:
    return await add_item(session, await add_user(session, "ada"))


async def test_at_start_only_what_runs_or_begins_again_stays_open(session: AsyncSession) -> None:
    item = await item_of(session)
    cases = [
        ("runs", 7, True, "the keeper still has it"),
        ("gone", 8, False, "its process ended with the last run"),
        ("resumed", None, True, "its task begins again and completes it"),
        ("hopeless", None, False, "a build whose task is not tried again"),
    ]
    for key, pid, _, _ in cases:
        await job_records.begin(session, item.id, "run_fastapi_app", NOW, key=key, pid=pid)
    assert await job_records.reconcile(session, ["runs", "resumed"], LATER) == 2
    rows = {job.key: job for job in (await session.execute(sa.select(Job))).scalars()}
    for key, _, stays, why in cases:
        await session.refresh(rows[key])
        assert (rows[key].ended_at is None) == stays, why
    assert rows["gone"].error


async def test_a_record_that_is_complete_stays_as_it_is(session: AsyncSession) -> None:
    item = await item_of(session)
    job = await job_records.begin(session, item.id, "run_fastapi_app", NOW, key="k", pid=7)
    await job_records.end(session, "k", NOW, exit_code=0)
    await job_records.end(session, "k", LATER, exit_code=1, error="no")
    assert await job_records.reconcile(session, [], LATER) == 0
    await session.refresh(job)
    assert (job.ended_at, job.exit_code, job.error) == (NOW, 0, None)
