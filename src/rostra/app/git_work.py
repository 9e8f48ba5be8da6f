"""Content from Git: bringing a commit here, making a bundle of it, and then the same deploy as of an upload."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.app import git_notices
from rostra.app.job_log import JobLog
from rostra.app.work import WorkShop
from rostra.config.sections import Settings
from rostra.content import bundles, disk, git, git_bundle, git_command, items, job_records, repositories, unpack
from rostra.content.deploy import Order
from rostra.content.git import Fetched, Git
from rostra.content.git_location import Location
from rostra.content.tables import Bundle, Item, Repository
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.shell import BuildShell
from rostra.errors import Problem, Unavailable
from rostra.ids import TaskId, new_key
from rostra.jobs.output import TaskLog
from rostra.jobs.queue import Limits, Work
from rostra.jobs.tables import Task
from rostra.jobs.tasks import Tasks
from rostra.jobs.worker import Handler
from rostra.mail.postman import Postman

log = structlog.get_logger()

DEPLOY, BUNDLE, POLL, BRANCHES, DIRECTORIES = "git-deploy", "git-bundle", "git-poll", "git-branches", "git-directories"
JOB_TAG = "git"
_AT_ONCE = 2  # of each kind: a host that does not answer must not take every worker
_LOOKED_BACK = 20  # bundles among which the one of a commit is looked for


class GitMissing(Unavailable):
    code = "git-missing"
    number = 145

    def __init__(self) -> None:
        super().__init__(
            "this server cannot publish from Git now",
            hint="Ask an administrator to install git, or to switch [Git] on.",
        )


def _version(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, timeout=20, text=True, check=True).stdout


async def open_git(settings: Callable[[], Settings], shell: BuildShell, scratch: Path) -> Git | None:
    """Return what runs git, or None when there is none on this machine that can be told what it must not do."""
    program = git.find(settings())
    if program is None:
        log.info("no git on this machine, or switched off: nothing is published from Git repositories")
        return None
    try:
        said = await asyncio.to_thread(_version, program)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as why:
        said = str(why)
    if not git_command.is_new_enough(said):
        oldest = ".".join(map(str, git_command.OLDEST))
        log.warning("this git cannot be used: nothing is published from Git repositories", said=said, needed=oldest)
        return None
    surroundings = {name: value for name, value in os.environ.items() if name in git.SURROUNDINGS}
    return Git(program=program, shell=shell, settings=settings, scratch=scratch, surroundings=surroundings)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitWork:
    """The handlers, each safe to repeat from the start, and the functions that enqueue for them.

    ``git`` is None when there is none on this machine.
    """

    tools: Tools
    tasks: Tasks
    shop: WorkShop
    postman: Postman
    git: Git | None

    def handlers(self) -> Mapping[str, Handler]:
        return {
            DEPLOY: self._deploy,
            BUNDLE: self._bundle,
            POLL: self._poll,
            BRANCHES: self._branches,
            DIRECTORIES: self._directories,
        }

    def limits(self) -> Limits:
        return dict.fromkeys((POLL, BRANCHES, DIRECTORIES), _AT_ONCE)

    @property
    def available(self) -> bool:
        return self.git is not None and self.tools.settings().git.enabled

    # What others ask for, within their transaction

    async def enqueue_deploy(self, session: AsyncSession, item: Item, user_id: int, *, activate: bool = True) -> TaskId:
        """Add the task that brings the newest commit here and deploys it, and the job record that shows it at once."""
        payload = {"guid": item.guid, "activate": activate, "job": await self._begin_job(session, item)}
        return await self.tasks.enqueue(session, DEPLOY, payload, subject=item.guid, user_id=user_id)

    async def enqueue_bundle(
        self, session: AsyncSession, item: Item, place: Location, ref: str, user_id: int
    ) -> tuple[int, TaskId]:
        """Reserve a bundle and add the task that fills it with ``ref`` of that place, or else with its branch."""
        bundle = await bundles.reserve(session, item, user_id, self.tools.clock.now())
        payload = {
            "guid": item.guid,
            "bundle_id": bundle.id,
            "place": [place.url, place.branch, place.directory],
            "ref": ref,
            "job": await self._begin_job(session, item),
        }
        return bundle.id, await self.tasks.enqueue(session, BUNDLE, payload, subject=item.guid, user_id=user_id)

    async def enqueue_branches(self, session: AsyncSession, url: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, BRANCHES, {"url": url}, user_id=user_id)

    async def enqueue_directories(self, session: AsyncSession, url: str, branch: str, user_id: int) -> TaskId:
        return await self.tasks.enqueue(session, DIRECTORIES, {"url": url, "branch": branch}, user_id=user_id)

    async def enqueue_poll(self, session: AsyncSession, item: Item) -> None:
        """Add the task that looks for new commits, unless one waits already."""
        waiting = sa.select(Task.id).where(Task.kind == POLL, Task.subject == item.guid, Task.finished_at.is_(None))
        if (await session.execute(waiting.limit(1))).first() is None:
            await self.tasks.enqueue(session, POLL, {"guid": item.guid}, subject=item.guid)

    async def _begin_job(self, session: AsyncSession, item: Item) -> str:
        key = new_key()
        log = self.tools.places.log(item.guid, key).relative_to(self.tools.places.data_dir)
        await job_records.begin(session, item.id, JOB_TAG, self.tools.clock.now(), key=key, log=str(log))
        return key

    # What workers do

    async def _deploy(self, work: Work, output: TaskLog) -> None:
        told: Any = work.payload
        _, row = await self._read(told["guid"])
        await self._update(told["guid"], row, told["job"], output, user_id=work.user_id, activate=told["activate"])

    async def _poll(self, work: Work, output: TaskLog) -> None:
        """Look whether the branch moved, and deploy what changed in the directory. Says in the row what went wrong."""
        told: Any = work.payload
        guid = told["guid"]
        item, row = await self._read(guid)
        place = repositories.place(row)
        try:
            head = await self._git().branch(place.url, place.branch)
        except Problem as why:
            await self._not_read(guid, place, str(why), poll=work.id)
            raise
        if head.commit == row.commit:
            await self._settled(guid, place, Fetched(head.commit, row.tree or ""), row.deploy_error or "")
            return
        output.say(f"{place.branch} of {place.url} moved to {head.commit}")
        async with transaction(self.tools.sessions) as session:
            job = await self._begin_job(session, item)
        await self._update(
            guid, row, job, output, user_id=row.changed_by_id, activate=True, known_tree=row.tree or "", poll=work.id
        )

    async def _update(
        self,
        guid: str,
        row: Repository,
        job: str,
        output: TaskLog,
        *,
        user_id: int | None,
        activate: bool,
        known_tree: str = "",
        poll: str = "",
    ) -> None:
        """What was fetched is written down as known only at the end: a poll that was interrupted finds it new again.

        ``poll`` is the task that polls; empty when somebody asked, who sees then what comes of it.
        """
        place, found, bundle_id = repositories.place(row), None, None
        try:
            async with JobLog(self.tools, guid, job, output) as log:
                async with self._git().fetched(place, say=log.say, known_tree=known_tree) as found:
                    bundle_id = await self._bundle_of(guid, place, found, user_id) if found.tar else None
                log.say(f"Bundle {bundle_id}" if bundle_id else f"Nothing changed in the directory {place.directory!r}")
            if bundle_id is not None:
                await self.shop.deploy_now(Order(guid=guid, bundle_id=bundle_id, activate=activate), output)
        except (Problem, OSError) as why:
            said = str(why) if isinstance(why, Problem) else f"this server could not keep it: {why.strerror or why}"
            if found:
                await self._settled(guid, place, found, said, poll=poll)
            else:
                await self._not_read(guid, place, said, poll=poll)
            raise
        await self._settled(guid, place, found)

    async def _bundle(self, work: Work, output: TaskLog) -> Mapping[str, Any]:
        """Fill the reserved bundle; when that fails it is taken back."""
        told: Any = work.payload
        guid, bundle_id, place = told["guid"], told["bundle_id"], Location(*told["place"])
        async with transaction(self.tools.reading) as session:
            item = await items.get(session, guid)
            there = await bundles.get(session, item, bundle_id)
        if there.state != bundles.PENDING:  # it was done before an interruption
            return _bundle_result(bundle_id)
        async with JobLog(self.tools, guid, told["job"], output) as log:
            try:
                async with self._git().fetched(place, ref=told["ref"], say=log.say) as found:
                    await self._bundle_of(guid, place, found, work.user_id, reserved=bundle_id)
            except Exception:  # also a full disk; an orderly stop is no exception, and goes on after the next start
                async with transaction(self.tools.sessions) as session:
                    await session.execute(
                        sa.delete(Bundle).where(Bundle.id == bundle_id, Bundle.state == bundles.PENDING)
                    )
                raise
            log.say(f"Bundle {bundle_id}")
        return _bundle_result(bundle_id)

    async def _branches(self, work: Work, output: TaskLog) -> Mapping[str, Any]:  # noqa: ARG002
        told: Any = work.payload
        found = [ref for ref in await self._git().refs(told["url"]) if ref.sort == "heads"]
        data = [{"ref": ref.commit, "branch": ref.name} for ref in found]
        return {"type": "git-repo-ref-branch-array", "data": data}

    async def _directories(self, work: Work, output: TaskLog) -> Mapping[str, Any]:  # noqa: ARG002
        told: Any = work.payload
        data = await self._git().manifest_directories(told["url"], told["branch"])
        return {"type": "git-repo-branch-manifest-dirs-array", "data": data}

    # Steps

    def _git(self) -> Git:
        """Raises: GitMissing."""
        if self.git is None or not self.available:
            raise GitMissing
        return self.git

    async def _read(self, guid: str) -> tuple[Item, Repository]:
        """Raises: ItemNotFound, NoRepository."""
        async with transaction(self.tools.reading) as session:
            item = await items.get(session, guid)
            return item, await repositories.get(session, item)

    async def _bundle_of(
        self, guid: str, place: Location, found: Fetched, user_id: int | None, *, reserved: int | None = None
    ) -> int:
        """Make the fetched directory a bundle and return its number; one that is that commit already is taken again."""
        assert found.tar is not None
        source = git_bundle.source(place, found.commit)
        if reserved is None and (there := await self._made_before(guid, source)):
            return there
        settings = self.tools.settings().applications
        packed = await git_bundle.pack(found.tar, place, most_files=settings.max_bundle_files)
        received = await bundles.receive(
            git_bundle.pieces(packed), folder=self.tools.places.bundles(guid), max_bytes=settings.max_bundle_size
        )
        try:
            contents = await unpack.inspect(received.path, bundles.bounds(settings))
            async with transaction(self.tools.sessions) as session:
                item = await items.get(session, guid)
                row = await bundles.accept(
                    session,
                    item,
                    received,
                    contents,
                    source=source,
                    user_id=user_id,
                    clock=self.tools.clock,
                    places=self.tools.places,
                    reserved=None if reserved is None else await bundles.get(session, item, reserved),
                )
                gone = await bundles.prune(session, item, settings.bundle_retention_limit, self.tools.places)
        finally:
            received.path.unlink(missing_ok=True)
        await disk.remove_all(gone)
        return row.id

    async def _made_before(self, guid: str, source: Mapping[str, str]) -> int | None:
        async with transaction(self.tools.reading) as session:
            item = await items.get(session, guid)
            recent = (await bundles.listing(session, item))[:_LOOKED_BACK]
        same = (each for each in recent if each.state != "failed" and dict(each.metadata_) == dict(source))
        return next((each.id for each in same if self.tools.places.archive(guid, each.id).is_file()), None)

    async def _settled(self, guid: str, place: Location, found: Fetched, why_not: str = "", *, poll: str = "") -> None:
        async with transaction(self.tools.sessions) as session:
            if row := await _same(session, guid, place):
                now, again = self.tools.clock.now(), self.tools.settings().git.polling_interval
                read = repositories.Read(found.commit, found.tree, now, why_not)
                fails_now = await repositories.settle(session, row, read, again)
                self.tasks.bell.ring_after(session, repositories.CHANGED)
                if fails_now and poll:
                    await self._tell(session, guid, row, why_not, poll)
        self.postman.wake()

    async def _not_read(self, guid: str, place: Location, why: str, *, poll: str) -> None:
        async with transaction(self.tools.sessions) as session:
            row = await _same(session, guid, place)
            if row and await repositories.not_read(session, row, why) and poll:
                await self._tell(session, guid, row, why, poll)
        self.postman.wake()

    async def _tell(self, session: AsyncSession, guid: str, row: Repository, why: str, poll: str) -> None:
        """Mail that polling fails now, with the note of it: neither is there without the other."""
        item = await items.get(session, guid)
        count = await git_notices.tell(session, self.tools, item, row, why, poll=poll)
        log.warning("a repository could not be followed", item=guid, mailed=count)


async def _same(session: AsyncSession, guid: str, place: Location) -> Repository | None:
    """Return the item's repository, unless it was changed to another place meanwhile."""
    item = await items.find(session, guid)
    row = await repositories.find(session, item) if item is not None else None
    return row if row is not None and repositories.place(row) == place else None


def _bundle_result(bundle_id: int) -> Mapping[str, Any]:
    return {"type": "bundle", "data": {"bundle_id": str(bundle_id)}}


async def forget_unfilled(session: AsyncSession) -> int:
    """At start: take back reserved bundles that no task will fill any more; return how many."""
    # In this order: another server may reserve one meanwhile. A bundle is there no earlier than its task.
    pending = set((await session.execute(sa.select(Bundle.id).where(Bundle.state == bundles.PENDING))).scalars())
    waiting = sa.select(Task.payload).where(Task.kind == BUNDLE, Task.finished_at.is_(None))
    pending -= {payload["bundle_id"] for payload in (await session.execute(waiting)).scalars()}
    lost = sa.delete(Bundle).where(Bundle.state == bundles.PENDING, Bundle.id.in_(sorted(pending)))
    return int(getattr(await session.execute(lost), "rowcount", 0))
