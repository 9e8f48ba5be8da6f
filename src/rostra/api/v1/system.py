"""The server itself: its checks, its storage, its queue, its host."""

from __future__ import annotations

import shutil
import socket
from typing import Annotated

import anyio
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from typing_extensions import TypedDict

import rostra
from rostra.api import checks
from rostra.api.answers import Router
from rostra.api.edge import Administrator, Live, Reading, SystemReader, Writing, changing
from rostra.api.paging import Page, Paged
from rostra.api.subjects import Inspected
from rostra.clock import wire_time
from rostra.content.access import visible_to
from rostra.content.disk_use import OF_ITEMS, Measured
from rostra.content.tables import Bundle, CheckRun, Item
from rostra.db.engine import database_bytes
from rostra.errors import NotFound
from rostra.wire import Guid, Id, Time, one_of

router = Router()

DONE = "done"


class NoSuchRun(NotFound):
    code = "no-such-check-run"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run of the checks {run_id[:40]!r}", hint="List the runs.")


class CheckRunShape(TypedDict):
    id: Id
    start_time: Time
    hostname: str
    status: Annotated[str, one_of(("requested", "running", "done", "canceled"))]
    passed: int
    failed: int


class CheckResults(TypedDict):
    run: CheckRunShape
    results: list[checks.CheckResult]


class Chronicle(TypedDict):
    enabled: bool
    ready: bool


class Host(TypedDict):
    hostname: str
    version: str
    last_seen: Time


class Folder(TypedDict):
    name: str
    bytes: int


class Bundles(TypedDict):
    """An active bundle is the one its item runs."""

    total: int
    active: int
    inactive: int
    total_bytes: int
    active_bytes: int
    inactive_bytes: int


class Storage(TypedDict):
    """``folders`` are those of the data folder; a file that they share counts in each.

    ``complete``: nothing was left out.
    """

    total_bytes: int
    used_bytes: int
    free_bytes: int
    database_bytes: int
    bundles: Bundles
    folders: list[Folder]
    measured_at: Time
    complete: bool


class ContentStorage(TypedDict):
    """``unpacked_bytes`` are its bundles as they are run from; environments belong to no single item."""

    content_guid: Guid
    bundles: int
    bundle_bytes: int
    active_bundle_bytes: int
    inactive_bundle_bytes: int
    unpacked_bytes: int
    rendering_bytes: int
    log_bytes: int
    total_bytes: int


def shape(row: CheckRun) -> CheckRunShape:
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
async def list_check_runs(who: SystemReader, session: Reading) -> list[CheckRunShape]:  # noqa: ARG001
    """The runs of the checks, newest first."""
    rows = await session.execute(sa.select(CheckRun).order_by(CheckRun.id.desc()).limit(500))
    return [shape(row) for row in rows.scalars()]


@router.post("/v1/system/checks", status_code=201)
async def run_checks(who: Administrator, live: Live) -> CheckRunShape:
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
async def get_check_run(run_id: str, who: SystemReader, session: Reading) -> CheckRunShape:  # noqa: ARG001
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
async def hosts(who: SystemReader, live: Live, active: bool | None = None) -> list[Host]:  # noqa: ARG001
    """The machines content runs on: this one, which is active when it answers."""
    if active is False:
        return []
    now = wire_time(live.clock.now())
    return [{"hostname": socket.gethostname(), "version": rostra.__version__, "last_seen": now}]


@router.get("/v1/system/storage")
async def storage(who: SystemReader, live: Live, session: Reading) -> Storage:  # noqa: ARG001
    """How full the disk of the data folder is, and what its folders and the database take, in bytes.

    Folders are counted at most every five minutes.
    """
    folder = live.places.data_dir
    measured = await live.disk.measured(folder, live.clock.now())
    usage = await anyio.to_thread.run_sync(shutil.disk_usage, folder)
    return {
        "total_bytes": usage.total,
        "used_bytes": usage.used,
        "free_bytes": usage.free,
        "database_bytes": await database_bytes(session),
        "bundles": await _all_bundles(session),
        "folders": [{"name": name, "bytes": size} for name, size in measured.folders.items()],
        "measured_at": wire_time(measured.at),
        "complete": measured.complete,
    }


@router.get("/v1/content/storage")
async def content_storage(who: SystemReader, live: Live, session: Reading, page: Paged) -> Page[ContentStorage]:
    """What each item takes, the largest first, in bytes: bundles, renderings and logs."""
    wanted = _bundles().where(visible_to(who)).group_by(Item.id, Item.guid).order_by(Item.id)
    measured = await live.disk.measured(live.places.data_dir, live.clock.now())
    found = [_stored(measured, *row) for row in await session.execute(wanted)]
    found.sort(key=lambda one: -one["total_bytes"])
    first = (page.number - 1) * page.size
    return page.of(found[first : first + page.size], len(found))


@router.get("/v1/content/{guid}/storage")
async def one_content_storage(subject: Inspected, live: Live) -> ContentStorage:
    """What one item takes, in bytes: bundles, renderings and logs."""
    wanted = _bundles().where(Item.id == subject.item.id).group_by(Item.id, Item.guid)
    row = (await subject.session.execute(wanted)).one()
    return _stored(await live.disk.measured(live.places.data_dir, live.clock.now()), *row)


_ACTIVE = sa.func.coalesce(sa.func.sum(sa.case((Bundle.id == Item.live_bundle_id, Bundle.size), else_=0)), 0)
_SIZE = sa.func.coalesce(sa.func.sum(Bundle.size), 0)


def _bundles() -> sa.Select[str, int, int, int]:
    return sa.select(Item.guid, _SIZE, _ACTIVE, sa.func.count(Bundle.id)).outerjoin(Bundle, Bundle.item_id == Item.id)


async def _all_bundles(session: AsyncSession) -> Bundles:
    alive = sa.func.count(sa.case((Bundle.id == Item.live_bundle_id, 1)))
    wanted = sa.select(sa.func.count(Bundle.id), alive, _SIZE, _ACTIVE).join(Item, Bundle.item_id == Item.id)
    total, active, size, active_size = (await session.execute(wanted)).one()
    return {
        "total": total,
        "active": active,
        "inactive": total - active,
        "total_bytes": int(size),
        "active_bytes": int(active_size),
        "inactive_bytes": int(size) - int(active_size),
    }


def _stored(measured: Measured, guid: str, size: int, active: int, count: int) -> ContentStorage:
    apps, renderings, logs = (measured.items[name].get(guid, 0) for name in OF_ITEMS)
    return {
        "content_guid": guid,
        "bundles": count,
        "bundle_bytes": int(size),
        "active_bundle_bytes": int(active),
        "inactive_bundle_bytes": int(size) - int(active),
        "unpacked_bytes": apps,
        "rendering_bytes": renderings,
        "log_bytes": logs,
        "total_bytes": int(size) + apps + renderings + logs,
    }
