"""Runs git, in the sandbox: lists what a repository has, and brings one directory of one commit here as a tar.

Nothing is checked out: a bare repository is fetched into a private scratch folder and the directory's tree is written
as an archive, so no filter, hook, submodule or link of the repository can act on anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rostra.config.sections import Settings
from rostra.content import git_command as command
from rostra.content.git_command import RepositoryUnavailable
from rostra.content.git_location import TOP, Location, is_commit
from rostra.content.layout import MANIFEST
from rostra.environments.shell import BuildShell
from rostra.errors import NotFound
from rostra.trees import remove_tree

MOST_LINES = 200_000  # of one command's output: refs, files
MOST_AT_ONCE = 2
SURROUNDINGS = frozenset(
    name
    for proxy in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (proxy, proxy.upper())
    if name != "HTTP_PROXY"  # libcurl ignores it too: a web server could have set it from a request
) | {"GIT_SSL_CAINFO", "SSL_CERT_FILE"}


class NoSuchRef(NotFound):
    code = "git-no-such-ref"

    def __init__(self, name: str, url: str) -> None:
        super().__init__(
            f"{url} has no branch, tag or commit {name[:80]!r}", hint="List its branches, and choose one of them."
        )


class NoSuchDirectory(NotFound):
    code = "git-no-such-directory"

    def __init__(self, directory: str) -> None:
        super().__init__(
            f"the repository has no directory {directory[:200]!r} at that commit", hint="Check its spelling."
        )


@dataclass(frozen=True, slots=True)
class Ref:
    """``sort`` is ``heads`` or ``tags``."""

    name: str
    commit: str
    sort: str = "heads"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A directory of a commit. ``tar`` is there until the block that fetched it ends."""

    commit: str
    tree: str
    tar: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """``program`` is git's path; ``scratch`` a folder for private ones, emptied at start-up by its owner.

    ``surroundings`` are variables that say how this machine reaches the network: proxies, certificates.
    """

    program: Path
    shell: BuildShell
    settings: Callable[[], Settings]
    scratch: Path
    surroundings: Mapping[str, str] = field(default_factory=dict)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    async def refs(self, url: str) -> list[Ref]:
        """Return the branches and tags of a repository.

        Raises:
            RepositoryUnavailable
        """
        async with self._folder() as folder:
            lines = await self._run(command.list_refs(str(self.program), url), url, folder)
        return [Ref(name, commit, sort) for commit, sort, name in command.refs(lines)]

    async def branch(self, url: str, name: str) -> Ref:
        """Raises: NoSuchRef, RepositoryUnavailable."""
        return chosen(await self.refs(url), name, url, sorts=("heads",))

    @contextlib.asynccontextmanager
    async def fetched(
        self, place: Location, *, ref: str = "", say: Callable[[str], None] = lambda _: None, known_tree: str = ""
    ) -> AsyncIterator[Fetched]:
        """Fetch the directory, of the branch or of another ``ref`` (a branch, a tag, a commit).

        ``known_tree``: the tree that need not be brought again; then ``tar`` is None.

        Raises:
            NoSuchRef, NoSuchDirectory, RepositoryUnavailable
        """
        git = str(self.program)
        wanted = await self._wanted(place, ref)
        async with self._folder() as folder:
            repository = folder / "repository"
            await self._run(command.make(git, str(repository)), place.url, folder)
            say(f"Fetching {ref or place.branch} of {place.url}")
            await self._run(command.fetch(git, place.url, wanted), place.url, repository, writable=folder)
            found = await self._resolved(place, repository, folder)
            say(f"At commit {found.commit}")
            if found.tree == known_tree:
                yield found
                return
            tar = folder / "tree.tar"
            await self._run(command.archive(git, found.tree, str(tar)), place.url, repository, writable=folder)
            yield Fetched(found.commit, found.tree, tar)

    async def manifest_directories(self, url: str, branch: str) -> list[str]:
        """Return the directories that hold a manifest, the top as ``.``, in order.

        Raises:
            NoSuchRef, RepositoryUnavailable
        """
        git = str(self.program)
        async with self._folder() as folder:
            repository = folder / "repository"
            await self._run(command.make(git, str(repository)), url, folder)
            full = f"refs/heads/{(await self.branch(url, branch)).name}"
            await self._run(command.fetch(git, url, full), url, repository, writable=folder)
            lines = await self._run(command.list_files(git), url, repository, writable=folder)
        return sorted(str(PurePosixPath(line).parent) for line in lines if PurePosixPath(line).name == MANIFEST)

    async def _wanted(self, place: Location, ref: str) -> str:
        """Return what to ask for. A branch that is not there is said in our words, not in git's."""
        if not ref:
            return f"refs/heads/{(await self.branch(place.url, place.branch)).name}"
        if is_commit(ref):
            return ref
        found = chosen(await self.refs(place.url), ref, place.url)
        return f"refs/{found.sort}/{found.name}"

    async def _resolved(self, place: Location, repository: Path, folder: Path) -> Fetched:
        argv = command.resolve(str(self.program), place)
        try:
            lines = await self._run(argv, place.url, repository, writable=folder)
        except RepositoryUnavailable as why:
            raise (NoSuchDirectory(place.directory) if place.directory != TOP else why) from why
        commit, tree, *_ = [*command.objects(lines), "", ""]
        if not commit or not tree:
            raise command.explain(lines, 0)
        return Fetched(commit, tree)

    @contextlib.asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="git-", dir=self.scratch))
        try:
            yield folder
        finally:
            await asyncio.shield(asyncio.to_thread(remove_tree, folder))

    async def _run(self, argv: Sequence[str], url: str, cwd: Path, *, writable: Path | None = None) -> list[str]:
        """Run one command and return its lines.

        Raises:
            RepositoryUnavailable
        """
        settings = self.settings()
        account = command.account(url, list(settings.git_credentials.values()))
        lines: list[str] = []

        def keep(line: str) -> None:
            if len(lines) < MOST_LINES:
                lines.append(command.without_secrets(line, account))

        async with self.turns:
            try:
                status = await self.shell.run(
                    command.bounded(argv, settings.git.max_repository_size),
                    env=command.environment(account, self.surroundings),
                    cwd=cwd,
                    readable=self._own_files(),
                    writable=[writable or cwd],
                    network=True,
                    timeout=settings.git.timeout,
                    on_line=keep,
                )
            except TimeoutError as why:
                raise RepositoryUnavailable(
                    f"git took longer than {settings.git.timeout.total_seconds():g} seconds", hint="Try again later."
                ) from why
        if status != 0:
            raise command.explain(lines, status)
        return lines

    def _own_files(self) -> list[Path]:
        """Return what of git itself the sandbox would not show: a git of its own folder, certificates of its own."""
        named = (self.surroundings.get(name) for name in ("GIT_SSL_CAINFO", "SSL_CERT_FILE"))
        own = [] if self.program.is_relative_to("/usr") else [self.program.parent.parent]
        return [*own, *(Path(each) for each in named if each)]


def chosen(there: Sequence[Ref], name: str, url: str, sorts: Sequence[str] = ("heads", "tags")) -> Ref:
    """Return the ref of that name; a branch goes before a tag.

    Raises:
        NoSuchRef
    """
    for sort in sorts:
        for each in there:
            if (each.sort, each.name) == (sort, name):
                return each
    raise NoSuchRef(name, url)


def find(settings: Settings) -> Path | None:
    """Return the git program to use, or None."""
    found = settings.git.executable or shutil.which("git")
    return Path(found) if found and settings.git.enabled else None
