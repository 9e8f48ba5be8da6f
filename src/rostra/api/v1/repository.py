"""Content from a Git repository: where it comes from, bundles of any commit, and what a repository has.

What a client wants to know of a repository takes a while, so it is a task; its result carries the answer.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api import edge
from rostra.api.answers import Router
from rostra.api.edge import Known, Live, Publisher, Writing, changing
from rostra.api.services import Services
from rostra.api.subjects import Edited, Inspected, load_to_edit
from rostra.api.v1.deploys import GitNotServed
from rostra.auth.principals import Principal
from rostra.clock import wire_time
from rostra.content import audit_log, git_command, git_location, items, repositories
from rostra.content.git_location import Location
from rostra.content.repositories import Wanted
from rostra.content.tables import Item, Repository
from rostra.ids import TaskId
from rostra.wire import Id, Time, text

router = Router()


_Text = Annotated[str | None, text(most=git_location.LONGEST, null=True)]


class RepositoryBody(BaseModel):
    """``repository`` is an https or http address.

    What is not sent stays as it is, or has its default: the branch main, the directory ``.``, not polled.
    """

    repository: _Text = None
    branch: _Text = None
    directory: _Text = None
    polling: bool | None = None


class BundleBody(BaseModel):
    """``ref``: a branch, a tag or a commit; else the branch. What is not sent is as the content has it."""

    ref: _Text = None
    repository: _Text = None
    branch: _Text = None
    directory: _Text = None


Given = Annotated[RepositoryBody, edge.parsed(RepositoryBody)]
Asked = Annotated[BundleBody, edge.parsed(BundleBody)]


class RepositoryShape(TypedDict):
    """``last_error`` is what went wrong the last time, null when nothing did."""

    repository: str
    branch: str
    directory: str
    polling: bool
    last_error: str | None
    last_known_commit: str | None
    last_fetched_time: Time | None


class BundleBegun(TypedDict):
    """The bundle is complete when the task has ended well."""

    bundle_id: Id
    task_id: str


class Account(TypedDict):
    username: str


class Looking(TypedDict):
    """A task that has just begun, in the shape older and newer clients follow one by."""

    task_id: str
    id: str
    user_id: int
    last_status: int
    status: list[str]
    result: None
    finished: bool
    code: int
    error: str


def shape(row: Repository) -> RepositoryShape:
    return {
        "repository": row.url,
        "branch": row.branch,
        "directory": row.directory,
        "polling": row.polling,
        "last_error": repositories.last_error(row),
        "last_known_commit": row.commit,
        "last_fetched_time": wire_time(row.fetched_at) if row.fetched_at else None,
    }


def _wanted(body: RepositoryBody) -> Wanted:
    return Wanted(url=body.repository, branch=body.branch, directory=body.directory, polling=body.polling)


@router.get("/v1/content/{guid}/repository")
async def get_repository(subject: Inspected) -> RepositoryShape:
    """Where the item comes from, what was last read there and what went wrong; 404 when it comes from nowhere."""
    return shape(await repositories.get(subject.session, subject.item))


@router.put("/v1/content/{guid}/repository")
async def put_repository(given: Given, subject: Edited, live: Live) -> RepositoryShape:
    """Let the item come from a directory of a branch. Nothing is fetched until it is deployed."""
    _require(live)
    items.check_unlocked(subject.item)
    now, user = live.clock.now(), subject.who.user_id
    return shape(await repositories.put(subject.session, subject.item, _wanted(given), user_id=user, now=now))


@router.patch("/v1/content/{guid}/repository")
async def patch_repository(given: Given, subject: Edited, live: Live) -> RepositoryShape:
    """Change what is sent."""
    _require(live)
    items.check_unlocked(subject.item)
    now, user = live.clock.now(), subject.who.user_id
    row = await repositories.patch(subject.session, subject.item, _wanted(given), user_id=user, now=now)
    live.tasks.bell.ring_after(subject.session, repositories.CHANGED)
    return shape(row)


@router.delete("/v1/content/{guid}/repository", status_code=204)
async def delete_repository(subject: Edited) -> Response:
    """Let the item come from nowhere; its bundles stay, and it takes uploads again."""
    await repositories.remove(subject.session, subject.item)
    return Response(status_code=204)


@router.post("/v1/content/{guid}/repository/bundle", status_code=202)
async def bundle_of_repository(guid: str, who: Known, wanted: Asked, live: Live) -> BundleBegun:
    """Make a bundle of a commit without deploying it; it is there when the task has ended well."""
    async with changing(live, who, "bundle_of_repository", guid) as session:
        subject = await load_to_edit(session, live, who, guid)
        _require(live)
        items.check_unlocked(subject.item)
        place = await _place(session, subject.item, wanted)
        ref = git_location.ref(wanted.ref) if wanted.ref else ""
        bundle_id, task = await live.git.enqueue_bundle(session, subject.item, place, ref, who.user_id)
        audit_log.note(session, subject=subject.guid, bundle_id=bundle_id, task_id=task)
    return {"bundle_id": str(bundle_id), "task_id": task}


async def _place(session: AsyncSession, item: Item, wanted: BundleBody) -> Location:
    row = await repositories.find(session, item)
    if row is None and not wanted.repository:
        raise repositories.NotFromGit
    asked = Wanted(url=wanted.repository, branch=wanted.branch, directory=wanted.directory)
    if row is None or (wanted.repository and git_location.address(wanted.repository) != row.url):
        return repositories.location(asked)
    return git_location.location(row.url, wanted.branch or row.branch, wanted.directory or row.directory)


@router.get("/repo/account")
async def get_account(who: Publisher, live: Live, url: str = "") -> Account:  # noqa: ARG001
    """The name of the account this server reads that host with; empty: it has none."""
    accounts = list(live.settings().git_credentials.values())
    found = git_command.account(git_location.address(url), accounts)
    return {"username": found.username if found else ""}


@router.get("/repo/branches")
async def list_branches(who: Publisher, live: Live, session: Writing, url: str = "") -> Looking:
    """Begin to look which branches a repository has, and at which commits they are."""
    _require(live)
    task = await live.git.enqueue_branches(session, git_location.address(url), who.user_id)
    return _begun(who, task)


@router.get("/repo/manifest-dirs")
async def list_directories(who: Publisher, live: Live, session: Writing, url: str = "", branch: str = "") -> Looking:
    """Begin to look in which directories of a branch there is a manifest."""
    _require(live)
    branch = git_location.ref(branch or git_location.DEFAULT_BRANCH)
    task = await live.git.enqueue_directories(session, git_location.address(url), branch, who.user_id)
    return _begun(who, task)


def _begun(who: Principal, task: TaskId) -> Looking:
    """Return a task that has just begun, in the shape older and newer clients follow one by."""
    return {
        "task_id": task,
        "id": task,
        "user_id": who.user_id,
        "last_status": 0,
        "status": [],
        "result": None,
        "finished": False,
        "code": 0,
        "error": "",
    }


def _require(live: Services) -> None:
    if not live.git.available:
        raise GitNotServed
