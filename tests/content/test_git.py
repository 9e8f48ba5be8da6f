"""A real git against git's own server, on loopback."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import git_server
from support.git_server import GitServer, Remote

from rostra.config.sections import Git as GitSettings
from rostra.config.sections import GitCredential, Settings
from rostra.content.git import Git, NoSuchDirectory, NoSuchRef, find
from rostra.content.git_command import RepositoryUnavailable
from rostra.content.git_location import Location, location
from rostra.environments.shell import PlainShell

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(find(Settings()) is None, reason="git is not installed")]


class WatchedShell(PlainShell):
    """Remembers every command and its variables."""

    def __init__(self) -> None:
        self.commands: list[tuple[tuple[str, ...], dict[str, str]]] = []

    async def run(self, argv: Any, *, env: Any, **more: Any) -> int:
        self.commands.append((tuple(argv), dict(env)))
        return await super().run(argv, env=env, **more)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    folder = tmp_path / "repositories"
    folder.mkdir()
    with git_server.serving(folder) as made:
        yield made


@pytest.fixture
def remote(server: GitServer) -> Remote:
    return server.remote()


Make = Callable[..., Git]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return what makes a Git with some accounts and settings."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def making(*accounts: GitCredential, **settings: Any) -> Git:
        both = Settings(git=GitSettings(**settings), git_credentials={str(n): each for n, each in enumerate(accounts)})
        program = find(both)
        assert program is not None
        return Git(program=program, shell=WatchedShell(), settings=lambda: both, scratch=scratch)

    return making


def account_for(server: GitServer, password: str = "s3cret") -> GitCredential:
    return GitCredential(host=f"127.0.0.1:{server.port}", username="ada", password=password, protocol="http")


async def names(git: Git, place: Location, ref: str = "") -> list[str]:
    async with git.fetched(place, ref=ref) as found:
        assert found.tar is not None
        with tarfile.open(found.tar) as tar:
            return sorted(tar.getnames())


async def test_branches_and_tags_are_listed(make: Make, remote: Remote) -> None:
    first = remote.site("one")
    second = remote.commit(branch="feature/x", more="2")
    git_server.git(remote.clone, "push", "-q", "origin", f"{first}:refs/tags/v1")
    found = {(ref.sort, ref.name): ref.commit for ref in await make().refs(remote.url)}
    assert found == {("heads", "main"): first, ("heads", "feature/x"): second, ("tags", "v1"): first}


async def test_a_directory_of_a_branch_is_brought(make: Make, remote: Remote) -> None:
    remote.site("top")
    commit = remote.site("below", folder="reports__one")
    git, said = make(), list[str]()
    async with git.fetched(location(remote.url, "main", "reports/one"), say=said.append) as found:
        assert found.commit == commit
        assert found.tar is not None
        with tarfile.open(found.tar) as tar:
            assert sorted(tar.getnames()) == ["index.html", "manifest.json"]
    assert any(commit in line for line in said)
    assert not list(git.scratch.iterdir())


async def test_any_commit_can_be_brought(make: Make, remote: Remote) -> None:
    first = remote.site("one")
    remote.commit(extra="2")
    git_server.git(remote.clone, "tag", "-a", "-m", "first", "v1", first)
    git_server.git(remote.clone, "push", "-q", "origin", "v1")
    place = location(remote.url)
    assert await names(make(), place) == ["extra", "index.html", "manifest.json"]
    assert await names(make(), place, first) == ["index.html", "manifest.json"]
    assert await names(make(), place, "v1") == ["index.html", "manifest.json"]


async def test_what_is_known_is_not_brought_again(make: Make, remote: Remote) -> None:
    remote.site("below", folder="one")
    place = location(remote.url, "main", "one")
    async with make().fetched(place) as before:
        pass
    newer = remote.commit(elsewhere="2")
    async with make().fetched(place, known_tree=before.tree) as after:
        assert (after.commit, after.tree, after.tar) == (newer, before.tree, None)


async def test_directories_with_a_manifest_are_found(make: Make, remote: Remote) -> None:
    remote.site("top")
    remote.site("one", folder="a__one")
    remote.site("two", folder="b two")
    assert await make().manifest_directories(remote.url, "main") == [".", "a/one", "b two"]


@pytest.mark.parametrize("branch", ["nope", "main2"])
async def test_a_branch_that_is_not_there(make: Make, remote: Remote, branch: str) -> None:
    remote.site("one")
    with pytest.raises(NoSuchRef, match=branch):
        await names(make(), location(remote.url, branch))


async def test_a_directory_that_is_not_there(make: Make, remote: Remote) -> None:
    remote.site("one")
    with pytest.raises(NoSuchDirectory, match="nowhere"):
        await names(make(), location(remote.url, "main", "nowhere"))


async def test_a_file_is_no_directory(make: Make, remote: Remote) -> None:
    remote.site("one")
    with pytest.raises(RepositoryUnavailable):
        await names(make(), location(remote.url, "main", "index.html"))


async def test_an_empty_repository_has_no_branch(make: Make, remote: Remote) -> None:
    with pytest.raises(NoSuchRef):
        await names(make(), location(remote.url))


async def test_a_private_repository_needs_the_account_of_its_host(
    make: Make, server: GitServer, remote: Remote
) -> None:
    remote.site("one")
    server.account = ("ada", "s3cret")
    assert await names(make(account_for(server)), location(remote.url)) == ["index.html", "manifest.json"]
    with pytest.raises(RepositoryUnavailable, match="asks for an account"):
        await make().refs(remote.url)
    with pytest.raises(RepositoryUnavailable, match="refused this server's account") as refused:
        await make(account_for(server, "wr0ng")).refs(remote.url)
    assert "wr0ng" not in str(refused.value)


async def test_the_password_is_in_the_variables_alone(make: Make, server: GitServer, remote: Remote) -> None:
    remote.site("one")
    server.account = ("ada", "s3cret")
    git = make(account_for(server))
    await names(git, location(remote.url))
    assert isinstance(git.shell, WatchedShell)
    for argv, env in git.shell.commands:
        assert not any("s3cret" in word for word in argv)
        assert [name for name, value in env.items() if "s3cret" in value] == ["ROSTRA_GIT_PASSWORD"]


async def test_a_redirect_to_another_host_gets_no_account(make: Make, server: GitServer, tmp_path: Path) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    with git_server.serving(other_folder, ("ada", "s3cret")) as other:
        server.moved["elsewhere.git"] = f"{other.origin}/project.git"
        with pytest.raises(RepositoryUnavailable):
            await make(account_for(server)).refs(f"{server.origin}/elsewhere.git")
        assert other.seen
        assert not any(authorization for _, authorization in other.seen)


async def test_a_redirect_to_a_file_is_not_followed(make: Make, server: GitServer, tmp_path: Path) -> None:
    server.moved["elsewhere.git"] = f"file://{tmp_path}"
    with pytest.raises(RepositoryUnavailable):
        await make().refs(f"{server.origin}/elsewhere.git")


async def test_submodules_links_and_attributes_do_nothing(make: Make, remote: Remote, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    modules = f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {marker}"\n\tupdate = !touch {marker}\n'
    remote.commit(
        _dot_gitmodules=modules,
        _dot_gitattributes="* filter=evil diff=evil text\n",
        manifest_dot_json=git_server.MANIFEST,
    )
    (remote.clone / "link").symlink_to("/etc/passwd")
    git_server.git(remote.clone, "add", "-A")
    git_server.git(remote.clone, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},x")
    git_server.git(remote.clone, "commit", "-q", "-m", "tricks")
    git_server.git(remote.clone, "push", "-q", "origin", "main")
    assert await names(make(), location(remote.url)) == [".gitattributes", ".gitmodules", "link", "manifest.json", "x"]
    assert not marker.exists()


async def test_a_repository_that_is_too_large_is_not_kept(make: Make, remote: Remote) -> None:
    (remote.clone / "noise").write_bytes(os.urandom(3_000_000))
    remote.commit()
    git = make(max_repository_size=1_000_000)
    with pytest.raises(RepositoryUnavailable, match="too large"):
        await names(git, location(remote.url))
    assert not list(git.scratch.iterdir())


async def test_what_unpacks_to_too_much_is_not_kept(make: Make, remote: Remote) -> None:
    (remote.clone / "zeros").write_bytes(bytes(30_000_000))
    remote.commit()
    with pytest.raises(RepositoryUnavailable, match="too large"):
        await names(make(max_repository_size=1_000_000), location(remote.url))


async def test_a_server_that_is_down_is_said_to_be(make: Make, server: GitServer, remote: Remote) -> None:
    server.down = True
    with pytest.raises(RepositoryUnavailable, match="cannot be reached"):
        await make().refs(remote.url)
