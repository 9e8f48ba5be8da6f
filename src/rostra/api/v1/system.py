"""The server itself: its checks, its storage, its queue, its host."""

from __future__ import annotations

import contextlib
import shutil
import socket
from pathlib import Path
from typing import Annotated

import anyio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from typing_extensions import TypedDict

import rostra
from rostra.api import checks
from rostra.api.answers import Guid, Id, Router, Time, one_of
from rostra.api.edge import Administrator, Live, Reading, SystemReader, Writing, changing
from rostra.api.paging import Page, Paged
from rostra.api.subjects import Inspected
from rostra.clock import wire_time
from rostra.content.access import visible_to
from rostra.content.tables import Bundle, CheckRun, Item
from rostra.errors import NotFound
from rostra.trees import walk

router = Router()

DONE = "done"


class NoSuchRun(NotFound):
    code = "no-such-check-run"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run of the checks {run_id[:40]!r}", hint="List the runs.")


class Checks(TypedDict):
    id: Id
    start_time: Time
    hostname: str
    status: Annotated[str, one_of(("requested", "running", "done", "canceled"))]
    passed: int
    failed: int


class CheckResults(TypedDict):
    run: Checks
    results: list[checks.Result]


class Chronicle(TypedDict):
    enabled: bool
    ready: bool


class Host(TypedDict):
    hostname: str
    version: str


class Folder(TypedDict):
    name: str
    bytes: int


class Storage(TypedDict):
    total_bytes: int
    used_bytes: int
    free_bytes: int
    folders: list[Folder]


class ContentStorage(TypedDict):
    content_guid: Guid
    bundles: int
    bundle_bytes: int


def shape(row: CheckRun) -> Checks:
    results = row.results.get("results", [])
    passed = sum(result["passed"] for result in results)
    return {
        "id": str(row.id),
        "start_time": wire_time(row.started_at),
        "hostname": row.hostname,
        "status": row.status,
        "passed": passed,
        "failed": len(results) - passed,
    }


@router.get("/v1/system/checks")
async def list_check_runs(who: SystemReader, session: Reading) -> list[Checks]:  # noqa: ARG001
    """The runs of the checks, newest first."""
    rows = await session.execute(sa.select(CheckRun).order_by(CheckRun.id.desc()).limit(500))
    return [shape(row) for row in rows.scalars()]


@router.post("/v1/system/checks", status_code=201)
async def run_checks(who: Administrator, live: Live) -> Checks:
    """Run the checks: database, disk, sandbox and every interpreter. The run is over when the answer comes."""
    began = live.clock.now()
    results = await checks.run(live)
    async with changing(live, who, "run_checks", None) as session:
        row = CheckRun(status=DONE, hostname=socket.gethostname(), started_at=began, results={"results": results})
        session.add(row)
        await session.flush()
        return shape(row)


async def _run(session: AsyncSession, run_id: str) -> CheckRun:
    numeric = run_id.isascii() and run_id.isdecimal() and len(run_id) < 19
    row = await session.get(CheckRun, int(run_id)) if numeric else None
    if row is None:
        raise NoSuchRun(run_id)
    return row


@router.get("/v1/system/checks/{run_id}")
async def get_check_run(run_id: str, who: SystemReader, session: Reading) -> Checks:  # noqa: ARG001
    """One run."""
    return shape(await _run(session, run_id))


@router.get("/v1/system/checks/{run_id}/results")
async def get_check_results(run_id: str, who: SystemReader, session: Reading) -> CheckResults:  # noqa: ARG001
    """What each check of a run found."""
    row = await _run(session, run_id)
    return {"run": shape(row), "results": row.results.get("results", [])}


@router.delete("/v1/system/checks/{run_id}", status_code=204)
async def delete_check_run(run_id: str, who: Administrator, session: Writing) -> Response:  # noqa: ARG001
    """Forget a run."""
    await session.delete(await _run(session, run_id))
    return Response(status_code=204)


@router.get("/v1/system/chronicle")
async def chronicle(who: Administrator) -> Chronicle:  # noqa: ARG001
    """The vendor's metrics agent: there is none."""
    return {"enabled": False, "ready": False}


@router.get("/v1/system/hosts")
async def hosts(who: SystemReader) -> list[Host]:  # noqa: ARG001
    """The machines content runs on: this one."""
    return [{"hostname": socket.gethostname(), "version": rostra.__version__}]


@router.get("/v1/system/storage")
async def storage(who: SystemReader, live: Live) -> Storage:  # noqa: ARG001
    """How full the disk of the data folder is, in bytes, and what its folders take."""
    return await anyio.to_thread.run_sync(_disk, live.places.data_dir)


def _disk(folder: Path) -> Storage:
    usage = shutil.disk_usage(folder)
    folders = [part for part in sorted(folder.iterdir()) if part.is_dir()]
    parts: list[Folder] = [{"name": part.name, "bytes": _size(part)} for part in folders]
    return {"total_bytes": usage.total, "used_bytes": usage.used, "free_bytes": usage.free, "folders": parts}


def _size(folder: Path) -> int:
    """Return what a folder takes; what goes while it is counted is left out."""
    total, seen = 0, set[tuple[int, int]]()
    for _, _, files in walk(folder):
        for file in files:  # there may be millions
            with contextlib.suppress(OSError):
                found = file.stat(follow_symlinks=False)
                if (found.st_dev, found.st_ino) not in seen:
                    total += found.st_blocks * 512
                    if found.st_nlink > 1:
                        seen.add((found.st_dev, found.st_ino))
    return total


@router.get("/v1/content/storage")
async def content_storage(who: SystemReader, session: Reading, page: Paged) -> Page[ContentStorage]:
    """What the bundles of each item take, the largest first, in bytes."""
    size = sa.func.coalesce(sa.func.sum(Bundle.size), 0)
    rows = sa.select(Item.guid, size, sa.func.count(Bundle.id)).outerjoin(Bundle, Bundle.item_id == Item.id)
    wanted = rows.where(visible_to(who)).group_by(Item.id, Item.guid)
    total = (await session.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))).scalar_one()
    first = (page.number - 1) * page.size
    found = await session.execute(wanted.order_by(size.desc(), Item.id).limit(page.size).offset(first))
    return page.of([_stored(guid, bytes_, count) for guid, bytes_, count in found], total)


def _stored(guid: str, size: int, count: int) -> ContentStorage:
    return {"content_guid": guid, "bundles": count, "bundle_bytes": int(size)}


@router.get("/v1/content/{guid}/storage")
async def one_content_storage(subject: Inspected) -> ContentStorage:
    """What the bundles of one item take, in bytes."""
    wanted = sa.select(sa.func.coalesce(sa.func.sum(Bundle.size), 0), sa.func.count(Bundle.id))
    size, count = (await subject.session.execute(wanted.where(Bundle.item_id == subject.item.id))).one()
    return _stored(subject.guid, size, count)
