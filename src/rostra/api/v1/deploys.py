"""Deploying and building: each answers at once with a task to follow."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, changing
from rostra.api.services import Deploy, Services
from rostra.api.subjects import Subject, load_to_edit
from rostra.auth.principals import Principal
from rostra.content import audit_log, beside, bundles, items, repositories
from rostra.content.tables import Bundle
from rostra.errors import Conflict, NotFound
from rostra.ids import TaskId
from rostra.jobs.tasks import NoSuchTask, View
from rostra.kinds.kind import Mode
from rostra.kinds.registry import runnable

router = Router()

STATIC_SECONDS = 5.0  # clients expect a static item to be live when the answer comes; it takes a moment


class DeployBody(BaseModel):
    """``bundle_id`` None: the live one, else the newest. ``activate`` false makes a draft."""

    bundle_id: str | int | None = None
    activate: bool | None = None


Wanted = Annotated[DeployBody, edge.parsed(DeployBody)]


class NothingToDeploy(NotFound):
    code = "nothing-to-deploy"
    number = 28

    def __init__(self) -> None:
        super().__init__("this content has no bundle yet", hint="Upload one first.")


class BundleNotReady(Conflict):
    code = "bundle-not-ready"

    def __init__(self, bundle_id: int) -> None:
        super().__init__(
            f"bundle {bundle_id} is still being made from its repository", hint="Follow its task to the end first."
        )


class GitNotServed(NotFound):
    code = "git-not-served"
    number = 145

    def __init__(self) -> None:
        super().__init__(
            "this server does not publish from Git now",
            hint="Ask an administrator to install git, or publish from a clone of the repository.",
        )


class BegunTask(TypedDict):
    task_id: str


class TaskResult(TypedDict):
    """What a task found out; ``type`` says how ``data`` is built."""

    type: str
    data: Any


class TaskShape(TypedDict):
    """``last`` is how many lines there are; ``code`` is 0 and ``error`` empty when it ended well."""

    id: str
    output: list[str]
    result: TaskResult | None
    finished: bool
    code: int
    error: str
    last: int


@router.post("/v1/content/{guid}/deploy", status_code=202)
async def deploy_content(guid: str, who: Known, wanted: Wanted, live: Live) -> BegunTask:
    """Build, prove and make live; a bundle that was built already is only switched to."""
    return {"task_id": await start(live, who, guid, wanted, build_only=False)}


@router.post("/v1/content/{guid}/build", status_code=202)
async def build_content(guid: str, who: Known, wanted: Wanted, live: Live) -> BegunTask:
    """Make the environment again without changing what visitors get."""
    return {"task_id": await start(live, who, guid, wanted, build_only=True)}


async def start(live: Services, who: Principal, reference: str, wanted: DeployBody, *, build_only: bool) -> TaskId:
    """Enqueue the task and return its id.

    Raises:
        ItemNotFound, BundleNotFound, NothingToDeploy, ContentLocked, KindChanged, KindNotRun,
        LanguageNotHere
    """
    activate = wanted.activate is not False
    async with changing(live, who, "build_content" if build_only else "deploy_content", reference) as session:
        subject = await load_to_edit(session, live, who, reference)
        items.check_unlocked(subject.item)
        if not (wanted.bundle_id or build_only) and await repositories.find(session, subject.item):
            return await _from_git(subject, activate=activate)
        bundle = await _chosen(subject, wanted.bundle_id)
        items.check_kind(subject.item, bundle.kind)
        kind = runnable(bundle.kind)
        beside.check(kind, await live.beside())
        if activate and not build_only:
            subject.item.deployed_at = live.clock.now()  # clients read it without waiting for the task
        order = Deploy(
            guid=subject.guid, bundle_id=bundle.id, activate=activate, build_only=build_only, user_id=who.user_id
        )
        task = await live.enqueue_deploy(session, order)
        audit_log.note(session, subject=subject.guid, bundle_id=bundle.id, activate=activate, task_id=task)
    if kind.mode is Mode.static and not build_only:
        await live.tasks.view(task, first=1_000_000, wait=STATIC_SECONDS)
    return task


async def _from_git(subject: Subject, *, activate: bool) -> TaskId:
    """Deploy what the repository has now; what that is, only the task finds out.

    Raises:
        GitNotServed
    """
    git, now = subject.live.git, subject.live.clock.now()
    if not git.available:
        raise GitNotServed
    if activate:
        subject.item.deployed_at = now
    task = await git.enqueue_deploy(subject.session, subject.item, subject.who.user_id, activate=activate)
    audit_log.note(subject.session, subject=subject.guid, activate=activate, task_id=task)
    return task


async def _chosen(subject: Subject, bundle_id: str | int | None) -> Bundle:
    if bundle_id is not None and bundle_id != "":
        found = await bundles.get(subject.session, subject.item, bundle_id)
        if found.state == bundles.PENDING:
            raise BundleNotReady(found.id)
        return found
    if subject.item.live_bundle_id is not None:
        return await bundles.get(subject.session, subject.item, subject.item.live_bundle_id)
    newest = await bundles.latest(subject.session, subject.item)
    if newest is None:
        raise NothingToDeploy
    return newest


@router.get("/v1/tasks/{task_id}")
async def get_task(task_id: str, who: Known, live: Live, first: int | None = None, wait: float = 0) -> TaskShape:
    """A task's state and its output from line ``first`` on, waiting up to ``wait`` seconds for news."""
    seen = await followed(live, who, task_id, first, wait)
    return {
        "id": seen.id,
        "output": list(seen.lines),
        "result": result_of(seen),
        "finished": seen.finished,
        "code": seen.exit_code,
        "error": seen.error,
        "last": seen.last,
    }


def result_of(seen: View) -> TaskResult | None:
    return None if seen.result is None else {"type": seen.result["type"], "data": seen.result["data"]}


async def followed(live: Services, who: Principal, task_id: str, first: int | None, wait: float) -> View:
    """Return the task as it is or becomes.

    Raises:
        NoSuchTask: also for another person's, unless an administrator asks.
    """
    start_at = None if first is None else max(first, 0)
    before = await live.tasks.view(task_id, first=start_at)
    if before.user_id != who.user_id and not who.is_administrator:
        raise NoSuchTask(task_id)
    if before.finished or not wait > 0 or (start_at is not None and before.lines):
        return before
    return await live.tasks.view(task_id, first=start_at, wait=wait)
