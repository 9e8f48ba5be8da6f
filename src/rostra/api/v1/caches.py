"""Runtime caches: the environments of one interpreter version, which can be ended to be built anew."""

from __future__ import annotations

from typing import Annotated

import anyio
from pydantic import BaseModel
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.content_shapes import LOCAL
from rostra.api.edge import Administrator, Live, SystemReader, changing
from rostra.api.services import Services
from rostra.content import audit_log
from rostra.errors import NotFound
from rostra.ids import TaskId

router = Router()

LANGUAGE = "Python"


class NoSuchCache(NotFound):
    code = "no-such-cache"

    def __init__(self, language: str, version: str, image: str) -> None:
        super().__init__(
            f"there is no runtime cache for {language[:40]} {version[:40]} in {image[:80]}",
            hint="List the caches: rsconnect system caches list.",
        )


class CacheBody(BaseModel):
    language: str = ""
    version: str = ""
    image_name: str = LOCAL
    dry_run: bool = False


async def _versions(live: Services) -> list[str]:
    ready = await anyio.to_thread.run_sync(live.environments.list_ready)
    versions = {one.environment.runtime.version for one in ready}
    return [str(version) for version in sorted(versions)]


class Cache(TypedDict):
    language: str
    version: str
    image_name: str


class Caches(TypedDict):
    caches: list[Cache]


class CacheRemoval(Cache):
    """``task_id`` is null for a dry run."""

    dry_run: bool
    task_id: str | None


@router.get("/v1/system/caches/runtime")
async def list_caches(who: SystemReader, live: Live) -> Caches:  # noqa: ARG001
    """One row for each Python version that has environments."""
    there = await _versions(live)
    rows: list[Cache] = [{"language": LANGUAGE, "version": version, "image_name": LOCAL} for version in there]
    return {"caches": rows}


@router.delete("/v1/system/caches/runtime")
async def delete_cache(
    who: Administrator, wanted: Annotated[CacheBody, edge.parsed(CacheBody)], live: Live
) -> CacheRemoval:
    """Remove the environments of one Python version; they are built again when they are needed."""
    there = wanted.language.lower() == LANGUAGE.lower() and wanted.image_name.lower() == LOCAL.lower()
    if not there or wanted.version not in await _versions(live):
        raise NoSuchCache(wanted.language, wanted.version, wanted.image_name)
    task: TaskId | None = None
    if not wanted.dry_run:
        async with changing(live, who, "delete_cache", wanted.version) as session:
            task = await live.enqueue_cache_removal(session, LANGUAGE, wanted.version, who.user_id)
            audit_log.note(session, language=LANGUAGE, version=wanted.version, task_id=task)
    return {
        "language": LANGUAGE,
        "version": wanted.version,
        "image_name": LOCAL,
        "dry_run": wanted.dry_run,
        "task_id": task,
    }
