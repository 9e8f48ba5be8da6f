"""The processes of an item, those that run and those that ended, and what they said."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import anyio
import sqlalchemy as sa
from fastapi import Query
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from typing_extensions import TypedDict

from rostra.api.addresses import Addresses, Links
from rostra.api.answers import Made, Router
from rostra.api.edge import Known, Live, Reading, UsageReader, changing
from rostra.api.job_shapes import JobShape, job
from rostra.api.services import Services
from rostra.api.subjects import Inspected, Subject, load_to_edit
from rostra.api.v1.usage import moment
from rostra.auth.principals import Principal
from rostra.clock import wire_time
from rostra.content import access, audit_log, items, job_records, job_samples
from rostra.content.job_samples import Sample
from rostra.content.tables import Item, Job, JobSample
from rostra.db.engine import transaction
from rostra.errors import Conflict, Invalid, NotFound
from rostra.execution import logs
from rostra.execution.logs import LogLine
from rostra.kinds.kind import Mode
from rostra.kinds.registry import by_name
from rostra.rendering import variants
from rostra.wire import Guid, Id, Time, Url

router = Router()

MOST_LOG_LINES = 5000
TAIL_SECONDS, TAIL_ROUNDS = 1.0, 600


class NoSuchJob(NotFound):
    code = "no-such-job"

    def __init__(self, key: str) -> None:
        super().__init__(f"this content has no job {key[:40]!r}", hint="List its jobs.")


class JobIsOver(Conflict):
    code = "job-is-over"
    number = 163

    def __init__(self, key: str) -> None:
        super().__init__(f"the job {key} has ended already", hint="Nothing needs to be done.")


class NotRestartable(Invalid):
    code = "not-restartable"
    number = 147

    def __init__(self) -> None:
        super().__init__("this content has no processes of its own", hint="Only applications and APIs are restarted.")


class LogEntry(TypedDict):
    source: Literal["stdout", "stderr"]
    timestamp: Time
    data: str


class JobLog(TypedDict):
    entries: list[LogEntry]


class JobFailure(TypedDict):
    """``code`` is the job's tag: what it was doing when it failed."""

    code: str
    summary: str
    help_url: None


class JobSampleShape(TypedDict):
    time: Time
    cpu: float
    memory: int
    processes: int
    connections: int


class JobMetrics(TypedDict):
    job_key: str
    content_guid: Guid
    metrics: list[JobSampleShape]


class ProcessShape(TypedDict):
    appId: int
    appGuid: Guid
    appName: str
    appUrl: Url
    appRunAs: str
    type: str
    cpuCurrent: float
    cpuTotal: int
    ram: int
    jobKey: str
    processes: int
    connections: int


class Restarted(TypedDict):
    content_guid: Guid
    ended_jobs: list[str]


class KillOrder(TypedDict):
    """``guid`` is of the order, which other servers keep."""

    guid: None
    app_id: Id
    app_guid: Guid
    job_id: Id
    job_key: str
    result: str


@router.get("/v1/content/{guid}/jobs")
@router.get("/applications/{guid}/jobs")
async def list_jobs(subject: Inspected) -> list[JobShape]:
    """The item's jobs, newest first."""
    hostname = socket.gethostname()
    rows = await job_records.of_item(subject.session, subject.item)
    keys = await variants.keys(subject.session, subject.item)
    return [job(row, subject.item, hostname, keys.get(row.variant_id or 0)) for row in rows]


async def _one(subject: Subject, key: str) -> Job:
    wanted = sa.select(Job).where(Job.key == key, Job.item_id == subject.item.id)
    row = (await subject.session.execute(wanted)).scalar_one_or_none()
    if row is None:
        raise NoSuchJob(key)
    return row


@router.get("/v1/content/{guid}/jobs/{key}")
@router.get("/applications/{guid}/job/{key}")
async def get_job(key: str, subject: Inspected) -> JobShape:
    """One job."""
    row = await _one(subject, key)
    keys = await variants.keys(subject.session, subject.item)
    return job(row, subject.item, socket.gethostname(), keys.get(row.variant_id or 0))


@router.get("/v1/content/{guid}/jobs/{key}/log")
async def get_log(key: str, subject: Inspected, live: Live, maxLogLines: int = MOST_LOG_LINES) -> JobLog:  # noqa: N803
    """The last lines a job wrote, oldest first, with their time and stream."""
    row = await _one(subject, key)
    lines = await _lines(live, row, min(max(maxLogLines, 0), MOST_LOG_LINES))
    return {"entries": [_entry(line) for line in lines]}


async def _lines(live: Services, row: Job, most: int | None) -> list[LogLine]:
    return [] if row.log is None else await anyio.to_thread.run_sync(logs.read, live.places.data_dir / row.log, most)


def _entry(line: LogLine) -> LogEntry:
    """Return a line as clients know one: they know two streams, and what the server says is on the second."""
    source: Literal["stdout", "stderr"] = "stdout" if line.source == "stdout" else "stderr"
    return {"source": source, "timestamp": wire_time(line.at), "data": line.text}


@router.get("/v1/content/{guid}/jobs/{key}/download")
async def download_log(
    key: str, subject: Inspected, live: Live, filename: str = ""
) -> Annotated[Response, Made(media=("text/plain",))]:
    """All a job wrote, as a text file."""
    row = await _one(subject, key)
    lines = await _lines(live, row, None)
    name = "".join(letter for letter in filename if letter.isalnum() or letter in "._-")[:100] or f"{key}.log"
    head = {"Content-Disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse("".join(f"{line.text}\n" for line in lines), headers=head)


@router.get("/v1/content/{guid}/jobs/{key}/error")
async def get_error(
    key: str, subject: Inspected
) -> Annotated[Response, Made(json=JobFailure, empty="Nothing went wrong")]:
    """Why a job failed, in one sentence; 204 when it did not."""
    row = await _one(subject, key)
    if not row.error:
        return Response(status_code=204)
    found: JobFailure = {"code": row.tag, "summary": row.error, "help_url": None}
    return JSONResponse(found)


@router.get("/v1/content/{guid}/jobs/{key}/tail")
async def tail_log(
    guid: str, key: str, who: Known, live: Live
) -> Annotated[Response, Made(media=("application/x-ndjson",))]:
    """What a job writes, line by line as JSON, until it ends or for ten minutes."""
    async with transaction(live.reading) as session:
        await _one(await load_to_edit(session, live, who, guid), key)
    return StreamingResponse(_tail(live, key), media_type="application/x-ndjson")


async def _tail(live: Services, key: str) -> AsyncIterator[str]:
    """Yield each line once. What fell out of a log's bounded middle meanwhile is skipped."""
    last: LogLine | None = None
    for _ in range(TAIL_ROUNDS):
        async with transaction(live.reading) as session:  # none is open while the client reads
            row = await session.get(Job, key)
        if row is None:
            return
        lines = await _lines(live, row, None)
        fresh = lines[lines.index(last) + 1 :] if last in lines else lines
        for line in fresh:
            yield json.dumps(_entry(line), ensure_ascii=False) + "\n"
        last = lines[-1] if lines else last
        if row.ended_at is not None:
            return
        await anyio.sleep(TAIL_SECONDS)


@router.get("/v1/content/{guid}/jobs/{key}/metrics")
async def get_metrics(
    key: str, subject: Inspected, since: Annotated[str, Query(alias="from")] = "", to: str = ""
) -> JobMetrics:
    """What a job took, early and every half minute, for two days: CPU in cores, memory in bytes, open connections."""
    row = await _one(subject, key)
    first, last = moment("from", since), moment("to", to, end=True)
    samples = await job_samples.listing(subject.session, row.key, since=first, until=last)
    return {"job_key": row.key, "content_guid": subject.guid, "metrics": [_sample(one) for one in samples]}


def _sample(one: JobSample) -> JobSampleShape:
    return {
        "time": wire_time(one.at),
        "cpu": one.cpu,
        "memory": one.memory_bytes,
        "processes": one.processes,
        "connections": one.connections,
    }


@router.get("/metrics/procs")
async def list_processes(who: UsageReader, live: Live, session: Reading, links: Links) -> dict[str, ProcessShape]:
    """What runs now, by process id, as far as the caller may change its content; CPU in cores, memory in bytes."""
    taken = {sample.job: sample for sample in await live.taken()}
    wanted = sa.select(Job, Item).join(Item, Item.id == Job.item_id).where(Job.ended_at.is_(None))
    rows = await session.execute(wanted.where(access.changeable_by(who)).order_by(Job.id))
    return {
        str(job.pid): _process(job, item, taken[job.key], links) for job, item in rows if job.pid and job.key in taken
    }


def _process(job: Job, item: Item, taken: Sample, links: Addresses) -> ProcessShape:
    return {
        "appId": item.id,
        "appGuid": item.guid,
        "appName": item.name,
        "appUrl": links.content(item.guid),
        "appRunAs": item.run_as or "",
        "type": job.tag,
        "cpuCurrent": taken.cpu,
        "cpuTotal": os.cpu_count() or 1,
        "ram": taken.memory_bytes,
        "jobKey": job.key,
        "processes": taken.processes,
        "connections": taken.connections,
    }


@router.post("/v1/content/{guid}/restart")
async def restart_content(guid: str, who: Known, live: Live) -> Restarted:
    """End the item's running processes; the next visit, or the least number the item keeps, starts new ones."""
    async with transaction(live.reading) as session:
        subject = await load_to_edit(session, live, who, guid)
        rows = await job_records.of_item(session, subject.item)
    if subject.item.kind == items.UNKNOWN or by_name(subject.item.kind).mode is not Mode.interactive:
        raise NotRestartable
    running = [row.key for row in rows if row.ended_at is None and row.tag.startswith("run_")]
    async with changing(live, who, "restart_content", subject.guid) as session:
        audit_log.note(session, jobs=running)
    async with asyncio.TaskGroup() as group:
        for key in running:
            group.create_task(_stop(live, key, who))
    return {"content_guid": subject.guid, "ended_jobs": running}


async def _stop(live: Services, key: str, who: Principal) -> None:
    await live.stop_job(key, who.username)


@router.delete("/v1/content/{guid}/jobs/{key}")
async def stop_job(guid: str, key: str, who: Known, live: Live) -> KillOrder:
    """End a running process."""
    async with transaction(live.reading) as session:
        subject = await load_to_edit(session, live, who, guid)
        row = await _one(subject, key)
    if row.ended_at is not None:
        raise JobIsOver(key)
    await live.stop_job(key, who.username)
    async with changing(live, who, "stop_job", subject.guid) as session:
        audit_log.note(session, job=key)
    return {
        "guid": None,
        "app_id": str(subject.item.id),
        "app_guid": subject.guid,
        "job_id": str(row.id),
        "job_key": key,
        "result": "Order to kill job registered",
    }
